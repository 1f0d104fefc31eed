import { describe, expect, it } from 'vitest'
import { createLogger } from '../base/logger.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { syntheticQuote, syntheticVerifier } from '../protocol/attestation/testing/manipulated-peers.ts'
import type { VerifiedQuote } from '../protocol/attestation/verify-quote.ts'
import { startClientRole } from './client-role.ts'
import { AttestedNetwork, beginning, type Flaws } from './testing/attested-network.ts'

const model = 'Qwen/Qwen3-8B'
const secret = 'The canary sings'
const takenBack = new Set(['77'.repeat(32)])

/** A client of the command line with `--seal attested`, as the command starts it, in a network of attested proxies and workers. */
class Scene extends AttestedNetwork {
  readonly lines: string[] = []
  #url = ''
  /** Clock by which the client judges the quote of its proxy. */
  proxyNowMs = this.nowMs
  readonly #ofProxy = syntheticVerifier({ now: () => this.proxyNowMs })
  #proxyQuote: Buffer | undefined

  /** The first quote of all is the proxy's: workers' keys are told by it. */
  #verify(quote: Uint8Array): Promise<VerifiedQuote> {
    this.#proxyQuote ??= Buffer.from(quote)
    return (this.#proxyQuote.equals(quote) ? this.#ofProxy : this.quotes).verify(quote)
  }

  override async start(flaws: Flaws = {}): Promise<void> {
    await super.start(flaws)
    const role = await startClientRole({
      network: { name: 'sealed', root: this.root, chain: undefined, close: async () => undefined },
      dataDir: this.folder,
      entries: this.entries,
      logger: createLogger((line) => this.lines.push(line), 'debug'),
      signal: new AbortController().signal,
      http: { host: '127.0.0.1', port: 0 },
      policy: 'tdx',
      proxies: 1,
      seal: 'attested',
      quotes: { verify: (quote) => this.#verify(quote) },
    })
    this.closers.push(async () => void (await role.stop(0)))
    this.#url = role.facts.join().match(/http:\S+\/v1/)?.[0] ?? ''
  }

  /** What a program is answered, once the client has found a proxy. */
  async ask(): Promise<{ readonly status: number; readonly text: string }> {
    const isReady = async (): Promise<number> => (await fetch(`${this.#url}/models`)).status
    await expect.poll(isReady, { timeout: 20_000 }).toBe(200)
    return this.askNow()
  }

  async askNow(): Promise<{ readonly status: number; readonly text: string }> {
    const body = JSON.stringify({ model, stream: true, max_tokens: 100, messages: [{ role: 'user', content: secret }] })
    const response = await fetch(`${this.#url}/chat/completions`, { method: 'POST', body })
    return { status: response.status, text: await response.text() }
  }
}

const begin = beginning(() => new Scene())

describe('a client with --seal attested', () => {
  const unflawed = begin()

  it('asks where proxy and worker prove what they run and the network contract lists all of it, and stops when it does no more', async () => {
    const scene = await unflawed()
    // The worker's key may still be on its way to the proxy.
    await expect.poll(async () => (await scene.ask()).status, { timeout: 20_000 }).toBe(200)
    expect((await scene.ask()).text).toContain('Hello')
    const answered = scene.backend.requests.length
    expect(Buffer.from(scene.backend.requests[0]?.body ?? []).toString()).toContain(secret)
    // The connection stands, and its proxy was looked at when it was dialled.
    const good = scene.root.value ?? expect.unreachable('no root')
    scene.root.set({ ...good, proxyHashes: takenBack })
    expect((await scene.ask()).text).toContain('does not list the software of this proxy')
    scene.root.set({ ...good, modelHashes: new Set() })
    expect((await scene.ask()).text).toContain('does not list the model')
    scene.root.set({ ...good, source: { endpoint: 'http://127.0.0.1:1', block: { seqno: 7, timeMs: Date.now() - 3_600_000 } } })
    expect((await scene.ask()).text).toMatch(/was read 6\d minutes ago/)
    // What Intel says of the proxy's machine has run out since; the workers' still holds.
    expect(scene.backend.requests).toHaveLength(answered)
    scene.root.set(good)
    expect((await scene.ask()).text).toContain('Hello')
    const before = scene.backend.requests.length
    scene.proxyNowMs += 400 * 86_400_000
    expect(await scene.askNow()).toMatchObject({
      status: 503,
      text: expect.stringMatching(/No worker is known.*A list of revoked certificates has expired/),
    })
    scene.proxyNowMs = scene.nowMs
    expect((await scene.ask()).text).toContain('Hello')
    expect(scene.backend.requests).toHaveLength(before + 1)
  })

  const refusing: readonly [string, Flaws, RegExp][] = [
    [
      'an attested worker whose model the contract does not list',
      { root: { modelHashes: new Set() } },
      /does not list the model/,
    ],
    ['an attested worker whose graphics card is open to its host', { gpu: 'exposed' }, /not in its confidential mode/],
    [
      'an attested worker whose image the contract does not list',
      { root: { workerHashes: takenBack } },
      /does not list the software of this worker/,
    ],
    ['a worker without an attestation', { machine: null }, /without an attestation that holds/],
  ]
  it.each(refusing.map(([name, flaws, reason]) => [name, begin(flaws), reason] as const))(
    'sends nothing to %s, and says why',
    async (_name, opened, reason) => {
      const scene = await opened()
      // Until the proxy has the worker's key, the reason is that there is none.
      await expect.poll(async () => (await scene.ask()).text, { timeout: 20_000 }).toMatch(reason)
      expect(await scene.ask()).toMatchObject({ status: 503, text: expect.stringContaining('No worker is known') })
      expect(scene.lines.join('\n')).toMatch(reason)
      expect(scene.lines.join('\n')).not.toContain(secret)
      expect(scene.backend.requests).toEqual([])
    },
  )

  const unspoken: readonly [string, Flaws, RegExp][] = [
    ['shows no quote', { proxyQuote: undefined }, /no attestation/],
    ['shows a fake quote', { proxyQuote: fakeQuote }, /attestation|quote/i],
    ['shows the quote of another key', { proxyQuote: () => syntheticQuote(new Uint8Array(32)) }, /another key/],
    ['runs what the contract does not list', { root: { proxyHashes: takenBack } }, /does not list the software of this proxy/],
    ['belongs to a network that demands no attestation', { isTest: true }, /demands no attestation/],
  ]
  it.each(unspoken.map(([name, flaws, reason]) => [name, begin(flaws), reason] as const))(
    'does not speak to a proxy that %s, and says why',
    async (_name, opened, reason) => {
      const scene = await opened()
      await expect.poll(() => scene.lines.join('\n'), { timeout: 20_000 }).toMatch(reason)
      const told = await scene.askNow()
      expect(told).toMatchObject({ status: 503, text: expect.stringContaining('No proxy is connected') })
      // Whoever asks learns the reason too, not only the log.
      expect(told.text).toMatch(reason)
      expect(scene.backend.requests).toEqual([])
    },
  )
})
