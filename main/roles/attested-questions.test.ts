import { describe, expect, it } from 'vitest'
import { createLogger } from '../base/logger.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { syntheticQuote } from '../protocol/attestation/testing/manipulated-peers.ts'
import type { VerifiedQuote } from '../protocol/attestation/verify-quote.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { type ClientSeal, startClientRole } from './client-role.ts'
import { AttestedNetwork, beginning, type Flaws, image, isOfOtherProxy, judgeAt, otherImage } from './testing/attested-network.ts'

const model = 'Qwen/Qwen3-8B'
const secret = 'The canary sings'
const outdated = 'A list of revoked certificates has expired'
const takenBack = new Set(['77'.repeat(32)])

/** A client of the command line with `--policy tdx`, and `--seal attested` unless said otherwise, as the command starts it, in a network of attested proxies and workers. */
class Scene extends AttestedNetwork {
  readonly lines: string[] = []
  readonly #seal: ClientSeal
  #url = ''
  /** Clock by which the client judges the quote of its proxy. */
  proxyNowMs = this.nowMs
  readonly #ofProxy = judgeAt(() => this.proxyNowMs)
  #proxyQuote: Buffer | undefined

  constructor(seal: ClientSeal = 'attested') {
    super()
    this.#seal = seal
  }

  /** But for the other proxy's, the first quote of all is that of the proxy: workers' keys are told by it. */
  #verify(quote: Uint8Array): Promise<VerifiedQuote> {
    if (!isOfOtherProxy(quote)) this.#proxyQuote ??= Buffer.from(quote)
    return (this.#proxyQuote?.equals(quote) ? this.#ofProxy : this.quotes).verify(quote)
  }

  /** The contract as it is listed now, changed. */
  list(change: Partial<RootConfig>): void {
    this.root.update((root) => root && { ...root, ...change })
  }

  /** Where the client is, by its status. */
  async place(): Promise<string | undefined> {
    const status = (await (await fetch(this.#url.replace('/v1', '/jsonstats'))).json()) as {
      readonly proxy_connections: readonly { readonly address: string; readonly is_ready: boolean }[]
    }
    const [connection] = status.proxy_connections
    return connection?.is_ready ? connection.address : undefined
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
      seal: this.#seal,
      roots: [],
      quotes: { verify: (quote) => this.#verify(quote) },
    })
    this.closers.push(async () => void (await role.stop(0)))
    this.#url = role.facts.join().match(/http:\S+\/v1/)?.[0] ?? ''
  }

  /** What a program is answered, once the client has found a proxy. */
  async ask(): Promise<{ readonly status: number; readonly text: string }> {
    const isReady = async (): Promise<number> => (await fetch(`${this.#url}/models`)).status
    await expect.poll(isReady).toBe(200)
    return this.askNow()
  }

  async askNow(): Promise<{ readonly status: number; readonly text: string }> {
    const body = JSON.stringify({ model, stream: true, max_tokens: 100, messages: [{ role: 'user', content: secret }] })
    const response = await fetch(`${this.#url}/chat/completions`, { method: 'POST', body })
    return { status: response.status, text: await response.text() }
  }
}

const begin = beginning(() => new Scene())

describe('a client with --policy tdx alone', () => {
  const withTwo = beginning(() => new Scene('offered'))({ otherProxy: true, root: { proxyHashes: new Set([image]) } })

  it('leaves a proxy that is listed no more for another, with the next reading of the contract', async () => {
    const scene = await withTwo()
    const [first, other] = scene.root.value?.proxies.map(({ forClients: { host, port } }) => `${host}:${port}`) ?? []
    await expect.poll(() => scene.place()).toBe(first)
    scene.list({ proxyHashes: new Set([otherImage]) })
    await expect.poll(() => scene.place()).toBe(other)
    expect((await scene.ask()).text).toContain('Hello')
  })
})

describe('a client with --seal attested', () => {
  const unflawed = begin()

  it('asks where proxy and worker prove what they run and the network contract lists all of it, and stops when it does no more', async () => {
    const scene = await unflawed()
    // The worker's key may still be on its way to the proxy.
    await expect.poll(async () => (await scene.ask()).status).toBe(200)
    expect((await scene.ask()).text).toContain('Hello')
    const answered = scene.backend.requests.length
    expect(Buffer.from(scene.backend.requests[0]?.body ?? []).toString()).toContain(secret)
    // The connection stands, and its proxy was looked at when it was dialled.
    const good = scene.root.value ?? expect.unreachable('no root')
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
    expect(await scene.askNow()).toMatchObject({ status: 503, text: expect.stringContaining(outdated) })
    await expect.poll(async () => (await scene.askNow()).text).toMatch(new RegExp(`No proxy is connected.*${outdated}`))
    scene.proxyNowMs = scene.nowMs
    await expect.poll(async () => (await scene.ask()).text).toContain('Hello')
    expect(scene.backend.requests).toHaveLength(before + 1)
  })

  const withTwo = begin({ otherProxy: true, root: { proxyHashes: new Set([image]) } })

  it('leaves a proxy that is listed no more, and one whose quote holds no more, for another; without one it says why until there is one', async () => {
    const scene = await withTwo()
    const [first, other] = scene.root.value?.proxies.map(({ forClients: { host, port } }) => `${host}:${port}`) ?? []
    const at = (place: string | undefined) => expect.poll(() => scene.place()).toBe(place)
    const answers = () => expect.poll(async () => (await scene.askNow()).text).toContain('Hello')
    await at(first)
    await answers()

    scene.list({ proxyHashes: new Set([otherImage]) })
    await at(other)
    await answers()
    expect(scene.lines.join()).toContain(`does not list the software of this proxy (${image})`)

    // Nobody is listed: it goes on trying, and tells whoever asks.
    scene.list({ proxyHashes: takenBack })
    const asked = scene.backend.requests.length
    await expect
      .poll(async () => (await scene.askNow()).text)
      .toContain('No proxy is connected. The network contract does not list the software of this proxy')
    expect(await scene.askNow()).toMatchObject({ status: 503 })
    expect(scene.backend.requests).toHaveLength(asked)
    scene.list({ proxyHashes: new Set([image]) })
    await at(first)
    await answers()

    // No question is needed to find out: the next reading of the contract is enough.
    scene.proxyNowMs += 400 * 86_400_000
    scene.list({ proxyHashes: new Set([image, otherImage]) })
    await at(other)
    await answers()
    expect(scene.lines.join()).toContain(outdated)
  })

  it('stays where it is while the contract can be judged by at no proxy', async () => {
    const scene = await unflawed()
    const good = scene.root.value ?? expect.unreachable('no root')
    await expect.poll(() => scene.place()).toBeDefined()
    const ended = scene.lines.filter((line) => line.includes('proxy connection ended')).length
    const disputed = { first: 'http://127.0.0.1:1', other: 'http://127.0.0.1:2' }
    for (const change of [
      { disputed },
      { source: { endpoint: disputed.first, block: { seqno: 7, timeMs: Date.now() - 3_600_000 } } },
    ]) {
      scene.root.set({ ...good, ...change })
      expect(await scene.askNow()).toMatchObject({ status: 503, text: expect.stringContaining('No worker is known') })
      expect(await scene.place()).toBeDefined()
    }
    scene.root.set(good)
    expect((await scene.askNow()).text).toContain('Hello')
    expect(scene.lines.filter((line) => line.includes('proxy connection ended'))).toHaveLength(ended)
    // Its quote is looked at all the same.
    const said = scene.lines.length
    scene.proxyNowMs += 400 * 86_400_000
    scene.root.set({ ...good, disputed })
    await expect.poll(() => scene.lines.slice(said).join()).toMatch(new RegExp(`proxy connection ended .*${outdated}`))
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
      await expect.poll(async () => (await scene.ask()).text).toMatch(reason)
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
      await expect.poll(() => scene.lines.join('\n')).toMatch(reason)
      const told = await scene.askNow()
      expect(told).toMatchObject({ status: 503, text: expect.stringContaining('No proxy is connected') })
      // Whoever asks learns the reason too, not only the log.
      expect(told.text).toMatch(reason)
      expect(scene.backend.requests).toEqual([])
    },
  )
})
