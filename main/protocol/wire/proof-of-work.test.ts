import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import vectors from '../vectors/ratls/pow.json' with { type: 'json' }
import routerRuns from '../vectors/ratls/pow_and_tls_against_router.json' with { type: 'json' }
import { compileSearch } from './pow-kernel.ts'
import { searchWithin } from './pow-search.ts'
import { createChallenge, PowError, type PowErrorCode, readChallenge, solve, verify } from './proof-of-work.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function errorCode(act: () => unknown): Promise<PowErrorCode | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (error instanceof PowError) return error.code
    throw error
  }
}

/** A challenge of difficulty 24 whose smallest nonce is 51816002: some seconds of work at best. */
function hardChallenge(): Uint8Array {
  const challenge = createChallenge(24)
  challenge.fill(26, 8)
  return challenge
}

describe('proof of work', () => {
  it.each(vectors)('finds the reference solver’s nonce at difficulty $difficulty_bits', async (vector) => {
    const challenge = hex(vector.challenge_bytes)
    const response = await solve(challenge)
    expect(toHex(response)).toBe(vector.response_bytes)
    expect(verify(challenge, response)).toBe(true)
    for (const { nonce, verify: good } of vector.others) {
      new DataView(response.buffer).setBigInt64(4, BigInt(nonce), true)
      expect([nonce, verify(challenge, response)]).toEqual([nonce, good])
    }
  })

  it('judges the responses that the reference router judged', () => {
    const runs = routerRuns.cases.filter((run) => run.response_hex.length === 24)
    expect(runs.length).toBeGreaterThanOrEqual(6)
    for (const run of runs) {
      const refused = run.server_router_log.some((line) => line.includes('PoW'))
      expect([run.case, verify(hex(run.challenge_hex), hex(run.response_hex))]).toEqual([run.case, !refused])
    }
  })

  it('computes SHA-256: the nonces it finds, and only those, have the bits', () => {
    const salt = new Uint8Array(16).map((_, i) => 255 - i * 7)
    const good: number[] = []
    for (let nonce = 0; nonce < 4096; nonce++) {
      const tail = Buffer.alloc(8)
      tail.writeUInt32LE(nonce)
      const top = createHash('sha256').update(salt).update(tail).digest().readUInt8(7)
      if (top >>> 3 === 0) good.push(nonce)
    }
    const search = compileSearch(salt, 5)
    const found: number[] = []
    for (let first = 0; first < 4096; first += 4) {
      const offset = search(first, 4)
      if (offset >= 0) found.push(first + offset)
    }
    const firstOfEachFour = good.filter((nonce, i) => Math.floor(nonce / 4) !== Math.floor((good[i - 1] ?? -4) / 4))
    expect(found).toEqual(firstOfEachFour)
    expect(found.length).toBeGreaterThan(80)
  })

  it('refuses what is no challenge, or too hard', async () => {
    const challenge = createChallenge(24)
    expect(readChallenge(challenge)).toEqual({ difficulty: 24, salt: challenge.slice(8) })
    expect(await errorCode(() => solve(createChallenge(25)))).toBe('pow-too-difficult')
    expect(await errorCode(() => solve(createChallenge(-1)))).toBe('pow-malformed')
    expect(await errorCode(() => solve(challenge.subarray(1)))).toBe('pow-malformed')
    challenge[0] = 0
    expect(await errorCode(() => solve(challenge))).toBe('pow-malformed')
  })

  it('says at once when the time will not do', async () => {
    const startedAt = performance.now()
    expect(await errorCode(() => solve(hardChallenge(), { budgetMs: 60 }))).toBe('pow-out-of-time')
    expect(performance.now() - startedAt).toBeLessThan(30_000)
    expect(searchWithin(new Uint8Array(16), 32, 0).found).toBe(false)
  })

  it('can be given up while it searches', async () => {
    const given = new AbortController()
    const waiting = errorCode(() => solve(hardChallenge(), { budgetMs: 60_000, signal: given.signal }))
    setTimeout(() => given.abort(), 100)
    expect(await waiting).toBe('pow-aborted')
    expect(await errorCode(() => solve(createChallenge(0), { signal: given.signal }))).toBe('pow-aborted')
  })

  it('reports a thread that cannot run', async () => {
    const threadUrl = new URL('./no-such-thread.ts', import.meta.url)
    expect(await errorCode(() => solve(createChallenge(16), { threadUrl }))).toBe('pow-thread-failed')
  })

  it('hashes far faster than one call of the library per nonce', () => {
    const salt = new Uint8Array(16)
    const timeOf = (act: () => void): number => {
      const startedAt = performance.now()
      act()
      return performance.now() - startedAt
    }
    const search = compileSearch(salt, 32)
    search(0, 400_000)
    const kernelMs = timeOf(() => search(0, 400_000)) / 400_000
    const libraryMs =
      timeOf(() => {
        for (let i = 0; i < 20_000; i++) createHash('sha256').update(salt).digest()
      }) / 20_000
    expect(libraryMs / kernelMs).toBeGreaterThan(3)
  })
})
