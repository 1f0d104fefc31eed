import { webcrypto } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeHttpResponse } from '../../http/http-message.ts'
import { decode, encode } from '../../tl/codec.ts'
import { headFor, model, proxy, question, ringOf, root } from '../testing/sealing-scene.ts'
import type { AnswerOpener, AnswerPiece } from './answer-opener.ts'
import type { AnswerSealer } from './answer-sealer.ts'
import type { KeyRing } from './key-ring.ts'
import { isRecordBucket, recordBucket, requestBucket } from './padding.ts'
import { readSealedRequest, type SealedHead, sealedRequestBytes, sealRequest } from './request.ts'
import { SealBroken, SealRefused } from './seal-errors.ts'
import { verifyKey } from './worker-key.ts'

async function refusalOf(act: Promise<unknown>): Promise<string> {
  return act.then(
    () => 'opened',
    (thrown: unknown) => {
      if (thrown instanceof SealRefused) return thrown.reason
      throw thrown
    },
  )
}

async function scene(change: Partial<SealedHead> = {}, ring = ringOf()) {
  const key = await ring.current()
  const head = headFor(key, change)
  const { bytes, opener } = await sealRequest(question(), head, key)
  return { ring, key, head, bytes, opener, through: { keyId: key.id, proxy } }
}

async function answered(): Promise<{ sealer: AnswerSealer; opener: AnswerOpener; ring: KeyRing }> {
  const { ring, bytes, opener, through } = await scene()
  const { sealer } = await ring.open(bytes, through)
  return { sealer, opener, ring }
}
const head = encodeHttpResponse({ status: 200, reason: 'OK', headers: [['Content-Type', 'text/event-stream']] })
const end = encode({
  '@type': 'sealed.end',
  prompt_tokens: 3n,
  cached_tokens: 0n,
  completion_tokens: 5n,
  reasoning_tokens: 0n,
  coefficient: 1000,
  tokens_used: {
    '@type': 'tokensUsed',
    prompt_tokens_used: 3n,
    cached_tokens_used: 0n,
    completion_tokens_used: 40n,
    reasoning_tokens_used: 0n,
    total_tokens_used: 43n,
  },
})
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const dataOf = (pieces: readonly AnswerPiece[]): string =>
  pieces.map((piece) => (piece.kind === 'data' ? Buffer.from(piece.bytes).toString() : '')).join('')

function breakOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof SealBroken) return thrown.reason
    throw thrown
  }
  return 'whole'
}

describe('a sealed request', () => {
  it('is opened by the worker that it is for, and shows nothing to others', async () => {
    const { ring, bytes, head, through } = await scene()
    expect(Buffer.from(bytes).includes('secret')).toBe(false)
    const opened = await ring.open(bytes, through)
    expect(Buffer.from(opened.request).equals(Buffer.from(question()))).toBe(true)
    const plain = ({ proxy: contract, ...rest }: SealedHead) => ({ ...rest, proxy: contract.toRawString() })
    expect(plain(opened.head)).toEqual(plain(head))
    expect(bytes.length).toBe(sealedRequestBytes(head, question().length))
  })

  it('has the same size for texts of many lengths', async () => {
    const { key } = await scene()
    const sizes = new Set<number>()
    for (const length of [0, 1, 50, 100, 300])
      sizes.add((await sealRequest(question('x'.repeat(length)), headFor(key), key)).bytes.length)
    expect(sizes.size).toBe(1)
  })

  it('is never the same twice', async () => {
    const { key } = await scene()
    const [one, other] = await Promise.all([0, 1].map(() => sealRequest(question(), headFor(key), key)))
    const [first, second] = [one, other].map((sealed) => readSealedRequest(sealed?.bytes ?? new Uint8Array()))
    expect(first?.enc).not.toEqual(second?.enc)
    expect(first?.sealed).not.toEqual(second?.sealed)
  })

  it('is opened once: a replay is refused, also at the same moment', async () => {
    const { ring, bytes, through } = await scene()
    const both = await Promise.all([refusalOf(ring.open(bytes, through)), refusalOf(ring.open(bytes, through))])
    expect(both.sort()).toEqual(['opened', 'replayed'])
    expect(await refusalOf(ring.open(bytes, through))).toBe('replayed')
  })

  it('does not open at another worker, or after a restart', async () => {
    const { bytes, through } = await scene()
    const other = ringOf()
    const { id } = await other.current()
    expect(await refusalOf(other.open(bytes, through))).toBe('unknown-key')
    // A proxy that names the other worker's key in its place.
    expect(await refusalOf(other.open(bytes, { ...through, keyId: id }))).toBe('malformed')
    const { head: part, ...read } = readSealedRequest(bytes)
    const redirected = encode({
      '@type': 'sealed.request',
      head: encode({
        '@type': 'sealed.head',
        worker_key: id,
        request_id: part.requestId,
        proxy: part.proxy.toRawString(),
        model,
        max_tokens: 100,
        max_coefficient: 1000,
        body_limit: 100,
        choices: 1,
        sealed_bytes: read.sealed.length,
      }),
      enc: read.enc,
      sealed: read.sealed,
    })
    expect(await refusalOf(other.open(redirected, { ...through, keyId: id }))).toBe('altered')
  })

  it('does not open through another proxy, or for another model', async () => {
    const { ring, bytes, through } = await scene()
    expect(await refusalOf(ring.open(bytes, { ...through, proxy: root }))).toBe('other-proxy')
    const forOther = await scene({ model: 'Other/Model' }, ring)
    expect(await refusalOf(ring.open(forOther.bytes, forOther.through))).toBe('other-model')
  })

  it('does not survive the change of any part', async () => {
    const { ring, bytes, through } = await scene()
    for (let index = 0; index < bytes.length; index += 7) {
      const changed = bytes.slice()
      changed[index] = (changed[index] ?? 0) ^ 0x10
      const padding = index > bytes.length - 4
      if (!padding) expect([index, await refusalOf(ring.open(changed, through))]).not.toEqual([index, 'opened'])
    }
    expect(await refusalOf(ring.open(bytes, through))).toBe('opened')
  })

  it('is refused with a key of low order as the client’s', async () => {
    const { ring, bytes, through } = await scene()
    const sent = decode(bytes, 'sealed.request')
    const low = encode({ ...sent, enc: new Uint8Array(32) })
    expect(await refusalOf(ring.open(low, through))).toBe('altered')
  })

  it.each<[string, Partial<SealedHead>]>([
    ['a negative limit', { bodyLimit: -5 }],
    ['no choice', { choices: 0 }],
    ['a million choices', { choices: 1_000_000 }],
    ['negative tokens', { maxTokens: -1 }],
  ])('with %s is refused before it is opened', async (_name, change) => {
    const { ring, bytes, through } = await scene(change)
    expect(await refusalOf(ring.open(bytes, through))).toBe('malformed')
  })
})

describe('the keys of a worker', () => {
  it('change before they end, and the old one opens until then', async () => {
    let now = Date.now()
    const ring = ringOf({ now: () => now, lifeMs: 1_000_000, overlapMs: 100_000 })
    const old = await scene({}, ring)
    now += 899_000
    expect((await ring.current()).id).toEqual(old.key.id)
    now += 2_000
    const fresh = await scene({ requestId: new Uint8Array(32).fill(9) }, ring)
    expect(fresh.key.id).not.toEqual(old.key.id)
    expect(await refusalOf(ring.open(fresh.bytes, fresh.through))).toBe('opened')
    expect(await refusalOf(ring.open(old.bytes, old.through))).toBe('opened')
    const again = await sealRequest(question(), headFor(old.key), old.key)
    now += 100_000
    expect(await refusalOf(ring.open(again.bytes, old.through))).toBe('unknown-key')
  })

  it('are made anew after the clock was put back: clients take none of the future', async () => {
    let now = Date.now()
    const ring = ringOf({ now: () => now })
    const old = await scene({}, ring)
    now -= 240_000
    expect((await ring.current()).id).toEqual(old.key.id)
    now -= 86_400_000
    const fresh = await ring.current()
    expect(fresh.id).not.toEqual(old.key.id)
    expect(() => verifyKey(fresh, { root, model, nowMs: now })).not.toThrow()
    // What was sealed to the one before still opens.
    expect(await refusalOf(ring.open(old.bytes, old.through))).toBe('opened')
  })

  it('are held by the ring that made them alone, until their end', async () => {
    let now = Date.now()
    const ring = ringOf({ now: () => now, lifeMs: 1_000_000, overlapMs: 100_000 })
    const idOf = ({ id }: { readonly id: Uint8Array }): string => Buffer.from(id).toString('hex')
    const first = idOf(await ring.current())
    const stranger = idOf(await ringOf().current())
    expect([ring.holds(first), ring.holds(stranger), ring.holds('')]).toEqual([true, false, false])
    now += 950_000
    const second = idOf(await ring.current())
    expect(second).not.toBe(first)
    expect([ring.holds(first), ring.holds(second)]).toEqual([true, true])
    now += 50_000
    expect([ring.holds(first), ring.holds(second)]).toEqual([false, true])
  })

  it('are made once for all who ask at the same moment', async () => {
    const ring = ringOf()
    const keys = await Promise.all([ring.current(), ring.current(), ring.current()])
    expect(new Set(keys.map(({ id }) => Buffer.from(id).toString('hex'))).size).toBe(1)
  })

  it('are replaced when they have opened enough, and refuse more: no replay is ever forgotten', async () => {
    const ring = ringOf({ mostRequests: 2 })
    const { key, through } = await scene({}, ring)
    const ask = async () => ring.open((await sealRequest(question(), headFor(key), key)).bytes, through)
    await ask()
    await ask()
    expect(await refusalOf(ask())).toBe('unknown-key')
    expect((await ring.current()).id).not.toEqual(key.id)
  })

  it('are not worn out by what does not open', async () => {
    const ring = ringOf({ mostRequests: 2 })
    const { bytes, through, key } = await scene({}, ring)
    const changed = bytes.slice()
    changed[bytes.length - 20] = (changed[bytes.length - 20] ?? 0) ^ 1
    for (let i = 0; i < 5; i++) expect(await refusalOf(ring.open(changed, through))).toBe('altered')
    expect((await ring.current()).id).toEqual(key.id)
    expect(await refusalOf(ring.open(bytes, through))).toBe('opened')
  })

  it('are made so that nothing can take them out of the process’s key store', async () => {
    const made = vi.spyOn(webcrypto.subtle, 'generateKey')
    try {
      await ringOf().current()
      expect(made.mock.calls.map(([, extractable]) => extractable)).toEqual([false])
      const pairs = await Promise.all(made.mock.results.map(({ value }) => value as Promise<webcrypto.CryptoKeyPair>))
      for (const { privateKey } of pairs) await expect(webcrypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow()
    } finally {
      made.mockRestore()
    }
  })

  it('are exported and written by no code of the room', () => {
    const sources = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
    expect(sources.length).toBeGreaterThan(5)
    for (const name of sources) {
      const code = readFileSync(new URL(name, import.meta.url), 'utf8')
      expect([name, /exportKey|node:fs|writeFile/.test(code)]).toEqual([name, false])
    }
  })
})

describe('a sealed answer', () => {
  it('comes out as it went in, however it is cut on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 700 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
        async (parts, cuts) => {
          const { sealer, opener } = await answered()
          const wire = Buffer.concat([
            sealer.seal('head', head),
            ...parts.map((part) => sealer.seal('data', text(part))),
            sealer.seal('end', end),
          ])
          const pieces: AnswerPiece[] = []
          for (let at = 0, i = 0; at < wire.length; i++) {
            const size = cuts[i % cuts.length] ?? 1
            pieces.push(...opener.push(wire.subarray(at, at + size)))
            at += size
          }
          opener.finish()
          expect(dataOf(pieces)).toBe(Buffer.concat(parts.map(text)).toString())
          expect(pieces[0]).toMatchObject({ kind: 'head', head: { status: 200 } })
          expect(pieces.at(-1)).toMatchObject({ kind: 'end', end: { completion_tokens: 5n } })
        },
      ),
      { numRuns: 25 },
    )
  })

  it('of any length is cut into records of at most 64 KiB', async () => {
    const { sealer, opener } = await answered()
    const long = 'x'.repeat(200_000)
    const pieces = [sealer.seal('head', head), sealer.seal('data', text(long)), sealer.seal('end', end)].flatMap((bytes) =>
      opener.push(bytes),
    )
    expect(dataOf(pieces)).toBe(long)
  })

  it('shows the same size for every token of a stream', async () => {
    const { sealer } = await answered()
    sealer.seal('head', head)
    const sizes = ['', 'a', ' antidisestablishmentarianism'].map((token) => sealer.seal('data', text(`data: ${token}`)).length)
    expect(new Set(sizes)).toEqual(new Set([512 + 16 + 4]))
  })

  it('an error reaches the client alone', async () => {
    const { sealer, opener } = await answered()
    const sealed = sealer.seal('error', encode({ '@type': 'sealed.error', code: 621, text: "unknown option 'secret'" }))
    expect(Buffer.from(sealed).includes('secret')).toBe(false)
    expect(opener.push(sealed)).toEqual([{ kind: 'error', code: 621, text: "unknown option 'secret'" }])
    expect(opener.ended).toBe(true)
  })

  const records = async () => {
    const { sealer, opener } = await answered()
    const first = sealer.seal('head', head)
    const parts = ['one', 'two', 'three'].map((part) => sealer.seal('data', text(part)))
    return { opener, first, parts, last: sealer.seal('end', end) }
  }
  type Records = Awaited<ReturnType<typeof records>>
  const flip = (bytes: Uint8Array, at: number): Uint8Array => {
    const changed = new Uint8Array(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    return changed
  }

  it.each<[string, string, (sent: Records) => (Uint8Array | undefined)[]]>([
    ['altered', 'altered', ({ first, parts: [one, two, three], last }) => [first, one, flip(two ?? first, 100), three, last]],
    ['reordered', 'altered', ({ first, parts: [one, two, three], last }) => [first, two, one, three, last]],
    ['shortened in the middle', 'altered', ({ first, parts: [one, , three], last }) => [first, one, three, last]],
    ['with one part twice', 'altered', ({ first, parts: [one, two, three], last }) => [first, one, one, two, three, last]],
    ['cut off', 'truncated', ({ first, parts }) => [first, ...parts]],
    ['cut off inside a record', 'truncated', ({ first, parts: [one] }) => [first, one?.subarray(0, 200)]],
    ['without its beginning', 'not-sealed', ({ parts }) => parts],
    ['nothing', 'not-sealed', () => []],
    ['with more behind its end', 'after-end', ({ first, parts: [one], last, parts }) => [first, ...parts, last, one]],
    ['with its end twice', 'after-end', ({ first, parts, last }) => [first, ...parts, last, last]],
    ['with a byte behind its end', 'after-end', ({ first, parts, last }) => [first, ...parts, last, Uint8Array.of(0)]],
    ['in plain text', 'not-sealed', () => [text('data: {"choices":[]}\n\n')]],
    ['with a changed nonce', 'altered', ({ first, parts, last }) => [flip(first, 20), ...parts, last]],
    ['with a size of four gigabytes', 'altered', ({ first }) => [first, Uint8Array.of(0xff, 0xff, 0xff, 0xff)]],
    ['with a size of nothing', 'altered', ({ first }) => [first, Uint8Array.of(0, 0, 0, 0)]],
  ])('that is %s is found out', async (_name, reason, tampered) => {
    const sent = await records()
    const found = breakOf(() => {
      for (const bytes of tampered(sent)) sent.opener.push(bytes ?? new Uint8Array())
      sent.opener.finish()
    })
    expect(found).toBe(reason)
  })

  it('of another question does not open', async () => {
    const [one, other] = [await answered(), await answered()]
    expect(breakOf(() => one.opener.push(other.sealer.seal('head', head)))).toBe('altered')
  })

  it.each<[string, (sealer: AnswerSealer) => Uint8Array[]]>([
    ['two heads', (sealer) => [sealer.seal('head', head), sealer.seal('head', head)]],
    ['no head', (sealer) => [sealer.seal('data', text('x'))]],
    ['an end without a head', (sealer) => [sealer.seal('end', end)]],
    ['a head that is none', (sealer) => [sealer.seal('head', text('hello'))]],
    ['an end that is none', (sealer) => [sealer.seal('head', head), sealer.seal('end', text('hello'))]],
    [
      'a usage below zero',
      (sealer) => [
        sealer.seal('head', head),
        sealer.seal('end', encode({ ...decode(end, 'sealed.end'), completion_tokens: -1n })),
      ],
    ],
    [
      'a usage of more than can be counted',
      (sealer) => [
        sealer.seal('head', head),
        sealer.seal('end', encode({ ...decode(end, 'sealed.end'), prompt_tokens: 1n << 62n })),
      ],
    ],
    [
      'a head with a body',
      (sealer) => [sealer.seal('head', encodeHttpResponse({ status: 200, reason: '', headers: [] }, text('x')))],
    ],
  ])('by a worker that sends %s is malformed', async (_name, sent) => {
    const { sealer, opener } = await answered()
    expect(breakOf(() => sent(sealer).forEach((bytes) => opener.push(bytes)))).toBe('malformed')
  })
})

describe('sizes', () => {
  it('of requests grow in steps below an eighth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1 << 24 }), (length) => {
        const size = requestBucket(length)
        expect(size).toBeGreaterThanOrEqual(Math.max(1024, length))
        expect(requestBucket(size)).toBe(size)
        if (length > 2048) expect(size - length).toBeLessThanOrEqual(length / 8)
      }),
    )
    expect([0, 1024, 1025, 3000, 5000].map(requestBucket)).toEqual([1024, 1024, 1280, 3072, 5120])
  })

  it('of records are powers of two', () => {
    expect([1, 512, 513, 1024, 1025, 65_536].map(recordBucket)).toEqual([512, 512, 1024, 1024, 2048, 65_536])
    expect(() => recordBucket(65_537)).toThrow(RangeError)
    expect([0, 256, 512, 768, 1024, 131_072].map(isRecordBucket)).toEqual([false, false, true, false, true, false])
  })
})
