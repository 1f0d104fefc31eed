import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CollateralCache } from './collateral-cache.ts'
import { CollateralService, parsePccsUrl } from './collateral-service.ts'
import { intelRoots } from './intel-chain.ts'
import { QuoteVerifier } from './quote-verifier.ts'
import { type Pccs, startPccs } from './testing/pccs.ts'
import { evidenceWith, iso, syntheticNowMs, type World } from './testing/synthetic-intel.ts'
import { verifyQuote } from './verify-quote.ts'

const model = { fmspc: 'b0c06f000000', authority: 'platform' } as const
const good = evidenceWith()
const dayMs = 86_400_000
const verified = (collateral: typeof good.collateral, atMs: number) => verifyQuote(good.quote, collateral, atMs, good.roots)

async function pccs(): Promise<Pccs> {
  const server = await startPccs(good.collateral)
  onTestFinished(() => server.close())
  return server
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'cocoon-collateral-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe('a collateral service', () => {
  it('is asked for the four parts, which come as Intel signed them', async () => {
    const server = await pccs()
    expect(await new CollateralService({ url: server.url }).get(model)).toEqual(good.collateral)
    expect(server.asked.sort()).toEqual([
      '/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
      '/sgx/certification/v4/rootcacrl',
      '/tdx/certification/v4/qe/identity',
      '/tdx/certification/v4/tcb?fmspc=B0C06F000000',
    ])
  })

  it('that is Intel’s has the root’s list elsewhere', async () => {
    const asked: string[] = []
    const fetch = async (url: unknown): Promise<Response> => {
      asked.push(String(url))
      return new Response('no', { status: 503 })
    }
    await expect(new CollateralService({ url: 'https://api.trustedservices.intel.com', fetch }).get(model)).rejects.toMatchObject(
      {
        code: 'collateral-unavailable',
        retryable: true,
      },
    )
    expect(asked).toContain('https://certificates.trustedservices.intel.com/IntelSGXRootCA.der')
  })

  const tcb = '/tdx/certification/v4/tcb'
  it.each<[string, string, string, (response: Parameters<Parameters<Pccs['instead']['set']>[1]>[0]) => void]>([
    ['an unknown processor', tcb, 'collateral-unavailable', (r) => r.writeHead(404).end()],
    ['a lost connection', tcb, 'collateral-unavailable', (r) => r.destroy()],
    ['an answer without end', tcb, 'collateral-unavailable', (r) => void r.end(Buffer.alloc(2 ** 20 + 1, 0x20))],
    ['no JSON', tcb, 'collateral-malformed', (r) => void r.end('<html>')],
    ['no signature', tcb, 'collateral-malformed', (r) => void r.end('{"tcbInfo":{}}')],
    ['no chain', tcb, 'collateral-malformed', (r) => void r.end(`{"tcbInfo":{},"signature":"${'00'.repeat(64)}"}`)],
    ['bytes that are no text', tcb, 'collateral-malformed', (r) => void r.end(Uint8Array.of(0xff, 0xfe))],
    ['no list', '/sgx/certification/v4/rootcacrl', 'collateral-malformed', (r) => void r.end('none')],
  ])('that gives %s is not believed', async (_name, path, code, instead) => {
    const server = await pccs()
    server.instead.set(path, instead)
    await expect(new CollateralService({ url: server.url }).get(model)).rejects.toMatchObject({ name: 'AttestationError', code })
  })

  it('that leads elsewhere is not followed', async () => {
    const [server, other] = await Promise.all([pccs(), pccs()])
    const location = `${other.url}/tdx/certification/v4/tcb?fmspc=B0C06F000000`
    server.instead.set(tcb, (response) => response.writeHead(302, { location }).end())
    await expect(new CollateralService({ url: server.url }).get(model)).rejects.toMatchObject({ code: 'collateral-unavailable' })
    expect(other.asked).toEqual([])
  })

  it('that says nothing is not waited for', async () => {
    const server = await pccs()
    server.instead.set(tcb, () => undefined)
    const beganMs = performance.now()
    await expect(new CollateralService({ url: server.url, timeoutMs: 200 }).get(model)).rejects.toMatchObject({
      code: 'collateral-unavailable',
    })
    expect(performance.now() - beganMs).toBeLessThan(5_000)
  })

  it('is named by its base address, over https or on this computer', () => {
    expect(parsePccsUrl('https://pccs.example/')).toBe('https://pccs.example')
    expect(parsePccsUrl('https://pccs.example/sgx/certification/v4/')).toBe('https://pccs.example')
    expect(parsePccsUrl('https://pccs.example/base/tdx/certification/v4')).toBe('https://pccs.example/base')
    expect(parsePccsUrl('http://127.0.0.1:8081')).toBe('http://127.0.0.1:8081')
    for (const bad of [
      '',
      'pccs.example',
      'http://pccs.example',
      'ftp://127.0.0.1',
      'https://a:b@pccs.example',
      'https://x/?a',
      'file:///x',
    ])
      expect(() => parsePccsUrl(bad), bad).toThrow(expect.objectContaining({ code: 'pccs-invalid' }))
  })
})

describe('kept collateral', () => {
  async function cache(options: { readonly folder?: string } = {}) {
    const server = await pccs()
    const clock = { nowMs: syntheticNowMs }
    const service = new CollateralService({ url: server.url })
    const make = () => new CollateralCache({ service, now: () => clock.nowMs, ...options })
    return { server, clock, make, kept: make(), use: (c: typeof good.collateral) => verified(c, clock.nowMs) }
  }
  const down = (server: Pccs) => server.instead.set('/', (response) => response.destroy())
  const changed = (change: (world: World) => void) => evidenceWith(change).collateral

  it('is asked for once a day, and once for all who want it at once', async () => {
    const { server, clock, kept, use } = await cache()
    await Promise.all([kept.with(model, use), kept.with(model, use), kept.with(model, use)])
    await kept.with(model, use)
    expect(server.asked).toHaveLength(4)
    clock.nowMs += dayMs + 1
    await kept.with(model, use)
    expect(server.asked).toHaveLength(8)
  })

  it('serves without a service until it expires, then is refused', async () => {
    const { server, clock, kept, use } = await cache()
    await kept.with(model, use)
    down(server)
    clock.nowMs += 27 * dayMs
    expect((await kept.with(model, use)).tcbStatus).toBe('UpToDate')
    clock.nowMs += 3 * dayMs
    await expect(kept.with(model, use)).rejects.toMatchObject({ code: 'collateral-expired' })
  })

  it('is unavailable when there is none, and the service is left alone for a while', async () => {
    const { server, clock, kept, use } = await cache()
    down(server)
    await expect(kept.with(model, use)).rejects.toMatchObject({ code: 'collateral-unavailable' })
    const { length } = server.asked
    await expect(kept.with(model, use)).rejects.toMatchObject({ code: 'collateral-unavailable' })
    expect(server.asked).toHaveLength(length)
    server.instead.clear()
    clock.nowMs += 31_000
    expect((await kept.with(model, use)).tcbStatus).toBe('UpToDate')
  })

  it('survives a restart, and a spoiled file counts as none', async () => {
    const path = folder()
    const { server, make, kept, use } = await cache({ folder: path })
    await kept.with(model, use)
    down(server)
    expect((await make().with(model, use)).tcbStatus).toBe('UpToDate')
    const [file = ''] = readdirSync(path)
    expect(file).toBe('tdx-b0c06f000000-platform.json')
    const text = readFileSync(join(path, file), 'utf8')
    for (const spoiled of ['', '{}', text.slice(0, -10), text.replace('"version":1', '"version":2')]) {
      writeFileSync(join(path, file), spoiled)
      await expect(make().with(model, use)).rejects.toMatchObject({ code: 'collateral-unavailable' })
    }
    // Whoever changes the file without Intel's key gains nothing.
    writeFileSync(join(path, file), text.replace('OutOfDate', 'UpToDate!'))
    await expect(make().with(model, use)).rejects.toMatchObject({ name: 'AttestationError' })
  })

  it('is not replaced by what is spoiled, nor kept when it is', async () => {
    const { server, clock, kept, use } = await cache()
    await kept.with(model, use)
    server.collateral = { ...good.collateral, tcbInfo: good.collateral.tcbInfo.replaceAll('OutOfDate', 'UpToDate') }
    clock.nowMs += dayMs + 1
    expect((await kept.with(model, use)).tcbStatus).toBe('UpToDate')
    const fresh = new CollateralCache({ service: new CollateralService({ url: server.url }), now: () => clock.nowMs })
    await expect(fresh.with(model, use)).rejects.toMatchObject({ code: 'collateral-signature-wrong' })
    server.collateral = good.collateral
    clock.nowMs += 31_000
    expect((await fresh.with(model, use)).tcbStatus).toBe('UpToDate')
  })

  it('is not replaced by what Intel said before', async () => {
    const { server, clock, kept, use } = await cache()
    await kept.with(model, use)
    const issue = iso(syntheticNowMs - 20 * dayMs)
    server.collateral = changed((world) => {
      for (const signed of [world.tcbInfo, world.qeIdentity]) signed.issueDate = issue
      for (const list of [world.pckCrl, world.rootCrl]) list.issuedAtMs = Date.parse(issue)
    })
    clock.nowMs += dayMs + 1
    expect((await kept.with(model, use)).collateral.validFromMs).toBe(syntheticNowMs - dayMs)
  })

  const later = iso(syntheticNowMs - 1_000)
  const badNews = (world: World): void => {
    world.tcbInfo.issueDate = later
    for (const level of world.tcbInfo.tcbLevels) level.tcbStatus = 'OutOfDate'
  }

  it('of which one part is older than what is kept does not replace it, however new the others are', async () => {
    const { server, clock, kept, use } = await cache()
    server.collateral = changed((world) => {
      world.tcbInfo.issueDate = later
    })
    await kept.with(model, use)
    // The information about the platform is that of before, beside a newer identity of the quoting enclave.
    server.collateral = changed((world) => {
      world.qeIdentity.issueDate = iso(syntheticNowMs)
    })
    clock.nowMs += dayMs + 1
    expect((await kept.with(model, use)).collateral.validFromMs).toBe(Date.parse(later))
  })

  it.each([
    ['the platform lacks updates', badNews, 'tcb-out-of-date'],
    [
      'the platform was revoked',
      (world: World): void => {
        world.pckCrl.issuedAtMs = Date.parse(later)
        world.pckCrl.revoked = [world.pck.serial]
      },
      'chain-revoked',
    ],
  ])('that says that %s is not replaced by what Intel said before', async (_what, change, code) => {
    const { server, clock, kept, use } = await cache()
    server.collateral = changed(change)
    await expect(kept.with(model, use)).rejects.toMatchObject({ code })
    server.collateral = good.collateral
    clock.nowMs += dayMs + 1
    await expect(kept.with(model, use)).rejects.toMatchObject({ code })
  })

  it('is replaced by what Intel says now, also when that is bad news', async () => {
    const { server, clock, kept, use } = await cache()
    await kept.with(model, use)
    server.collateral = changed((world) => {
      world.tcbInfo.issueDate = iso(syntheticNowMs - 1_000)
      for (const level of world.tcbInfo.tcbLevels) level.tcbStatus = 'OutOfDate'
    })
    clock.nowMs += dayMs + 1
    await expect(kept.with(model, use)).rejects.toMatchObject({ code: 'tcb-out-of-date' })
  })

  it('that has expired is asked for anew', async () => {
    const { server, clock, kept, use } = await cache()
    await kept.with(model, use)
    clock.nowMs += 60 * dayMs
    server.collateral = evidenceWith(undefined, clock.nowMs).collateral
    expect((await kept.with(model, use)).collateral.expiresAtMs).toBeGreaterThan(clock.nowMs)
  })
})

describe('verified quotes', () => {
  function verifier(options: { readonly mostRemembered?: number } = {}) {
    const clock = { nowMs: syntheticNowMs }
    const seen = { asked: 0 }
    const judge = new QuoteVerifier({
      collateral: {
        with: async (_model, use) => {
          seen.asked++
          return use(good.collateral)
        },
      },
      roots: good.roots,
      now: () => clock.nowMs,
      ...options,
    })
    return { judge, clock, seen }
  }
  const quoteWith = (byte: number): Uint8Array =>
    evidenceWith(({ quote }) => {
      quote.reportData = new Uint8Array(64).fill(byte)
    }).quote

  it('are remembered for an hour', async () => {
    const { judge, clock, seen } = verifier()
    const [one, two] = await Promise.all([judge.verify(good.quote), judge.verify(good.quote)])
    expect(one).toBe(two)
    expect(await judge.verify(good.quote)).toBe(one)
    expect(seen.asked).toBe(1)
    clock.nowMs += 3_600_001
    expect(await judge.verify(good.quote)).not.toBe(one)
    expect(seen.asked).toBe(2)
    // A clock that was put back makes no hour of a day.
    clock.nowMs -= 7_200_000
    await judge.verify(good.quote)
    expect(seen.asked).toBe(3)
  })

  it('are never remembered beyond their collateral, nor before it', async () => {
    const { judge, clock, seen } = verifier()
    const { collateral } = await judge.verify(good.quote)
    clock.nowMs = collateral.expiresAtMs - 1_000
    await judge.verify(good.quote)
    expect(seen.asked).toBe(2)
    clock.nowMs = collateral.expiresAtMs + 1
    await expect(judge.verify(good.quote)).rejects.toMatchObject({ code: 'collateral-expired' })
    const early = verifier()
    await early.judge.verify(good.quote)
    early.clock.nowMs = collateral.validFromMs - 1
    await expect(early.judge.verify(good.quote)).rejects.toMatchObject({ code: 'collateral-not-yet-valid' })
  })

  it('are bounded in number; the one that was not asked for for longest goes first', async () => {
    const { judge, seen } = verifier({ mostRemembered: 2 })
    const [one, two, three] = [quoteWith(1), quoteWith(2), quoteWith(3)]
    for (const quote of [one, two, one, three]) await judge.verify(quote)
    expect(judge.rememberedCount).toBe(2)
    expect(seen.asked).toBe(3)
    await judge.verify(one)
    expect(seen.asked).toBe(3)
    await judge.verify(two)
    expect(seen.asked).toBe(4)
  })

  it('of strangers lead to no question to the service', async () => {
    const { judge, seen } = verifier()
    const strange = new QuoteVerifier({ collateral: { with: () => Promise.reject(new Error('asked')) }, roots: intelRoots })
    await expect(strange.verify(good.quote)).rejects.toMatchObject({ code: 'root-not-trusted' })
    await expect(judge.verify(new Uint8Array(100))).rejects.toMatchObject({ name: 'AttestationError' })
    expect(seen.asked).toBe(0)
    expect(judge.rememberedCount).toBe(0)
  })

  it('that fail are not remembered', async () => {
    const { judge, clock } = verifier()
    clock.nowMs += 40 * dayMs
    await expect(judge.verify(good.quote)).rejects.toMatchObject({ code: 'collateral-expired' })
    clock.nowMs -= 40 * dayMs
    expect((await judge.verify(good.quote)).tcbStatus).toBe('UpToDate')
  })
})
