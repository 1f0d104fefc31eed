import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ed25519Signer } from '../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import type { SealState } from '../../preload/api/privacy.ts'
import { Signal } from '../base/signal.ts'
import { Privacy } from '../chat/privacy/privacy.ts'
import { type Permit, SealKeeper } from '../chat/privacy/seal-keeper.ts'
import { becomeReady, clientPeer } from '../client/testing/client-peer.ts'
import { syntheticImageHash, syntheticQuote, syntheticVerifier } from '../protocol/attestation/testing/manipulated-peers.ts'
import { type OwnerWallet, walletAddress } from '../protocol/sealed/direct/owner-wallet.ts'
import { type ReadKey, signKey } from '../protocol/sealed/direct/worker-key.ts'
import { fullModel, model } from '../protocol/sealed/testing/sealing-scene.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { decode, encode, nameOf } from '../protocol/tl/codec.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import { image, quoteFor } from '../roles/testing/attested-network.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { PeerWatch } from './checks/seen-peer.ts'
import { openedLevels, openWish } from './opened-levels.ts'

const { root } = scriptedNetwork
const quotes = syntheticVerifier()
const oneMinuteMs = 60_000
const realNow = Date.now

/** A good key of a worker in an attested machine: `seed` makes its owner, `number` tells its keys apart. */
function keyOf(seed: number, number: number, livesMs = 3_600_000): Promise<ReadKey> {
  const secret = new Uint8Array(32).fill(seed)
  const wallet: OwnerWallet = { '@type': 'sealed.walletW5', public_key: publicKeyOfSeed(secret), wallet_id: 2_147_483_409 }
  const statement = {
    ...{ publicKey: publicKeyOfSeed(new Uint8Array(32).fill(number)), root: root.address, owner: walletAddress(wallet), wallet },
    ...{ model: fullModel, createdAtMs: Date.now(), expiresAtMs: Date.now() + livesMs },
  }
  const sign = ed25519Signer(secret)
  return signKey(statement, { wallet, sign, quote: async (data) => quoteFor(data), gpu: async () => 'none' })
}

/** The levels of an opened network as the app has them, before a proxy that tells of workers what the test says; what it is sent is noted. */
async function openedBefore(level: 'open' | 'attested') {
  let aheadMs = 0
  const now = vi.spyOn(Date, 'now').mockImplementation(() => realNow() + aheadMs)
  onTestFinished(() => now.mockRestore())
  const peer = await clientPeer({ workerPolicy: () => ({ kind: 'tdx', quotes }) })
  onTestFinished(() => peer.dispose())
  const connection = await becomeReady(peer, { flags: 3 | cancelExtensionFlag | sealedExtensionFlag })
  let told: readonly ReadKey[] = []
  /** While it is there, what the proxy tells of keys waits for it. */
  let held: Promise<void> | undefined
  let heldKeys = 0
  const sent: { readonly name: string; readonly key?: Uint8Array }[] = []
  const room = { active_requests: 0, max_active_requests: 8, coefficient: 1000 }
  const script = async (): Promise<never> => {
    for (;;) {
      const item = await connection.next(1_000_000)
      const name = nameOf(item.data)
      if (item.kind === 'packet') {
        const sealed = name === 'client.runSealedQuery' ? decode(item.data, name) : undefined
        if (name?.startsWith('client.run')) sent.push({ name, ...(sealed && { key: sealed.worker_key }) })
      } else if (name === 'client.getWorkerTypesV2') {
        const workers = [{ '@type': 'client.workerInstanceV2' as const, flags: 0, ...room }]
        const types = [{ '@type': 'client.workerTypeV2' as const, name: model, workers }]
        item.answer(encode({ '@type': 'client.workerTypesV2', types }))
      } else if (name === 'client.getWorkerKeys') {
        const keys = told.map(({ signedKey }) => ({ '@type': 'client.workerKey' as const, signed_key: signedKey, ...room }))
        void Promise.resolve(held).then(() => item.answer(encode({ '@type': 'client.workerKeys', keys })))
        if (held !== undefined) heldKeys++
      } else item.fail(new Error(`unscripted ${name}`))
    }
  }
  // It ends with the test's process.
  script().catch(() => undefined)

  // The scripted proxy speaks plainly: who it is is told here as a dialer tells it that verified its quote. The contract as the sheet reads it demands that.
  const peers = new PeerWatch()
  const publicKey = new Uint8Array(32).fill(5)
  const quote = await quotes.verify(syntheticQuote(publicKey))
  const wire = peer.client.state.value.connections[0]?.wire ?? expect.unreachable('no connection')
  peers.see({ publicKey, quote, imageHash: syntheticImageHash, address: '127.0.0.1:1' }, wire)
  const config = new Signal<RootConfig>({
    ...root,
    params: { ...root.params, isTest: false },
    proxyHashes: new Set([image]),
    workerHashes: new Set([image]),
    modelHashes: new Set([createHash('sha256').update(fullModel).digest('hex')]),
    readAtMs: Date.now(),
    source: { endpoint: 'http://127.0.0.1:1', block: { seqno: 1, timeMs: Date.now() } },
  })
  const live = new Signal({ client: peer.client, peers, root: { config }, topUps: { refill: async () => undefined } })
  const network = { name: 'Ours', failure: new Signal(null), live, seen: new Signal({ root: { config } }) }
  const keepers = new Map<string, SealKeeper>()
  const levels = openedLevels(network, quotes, (one) => keepers.get(one))
  onTestFinished(() => levels.close())
  for (const checker of levels.checkers) {
    const keeper = new SealKeeper({ checker, now: () => Date.now() })
    keepers.set(checker.level, keeper)
    onTestFinished(() => keeper.close())
  }
  const privacy = new Privacy({ keepers: [...keepers.values()] })
  privacy.consent.give('a chat', 'worker')
  const backend = levels.backends.find((one) => one.level === level) ?? expect.unreachable('no backend')
  const keeper = keepers.get(level) ?? expect.unreachable('no seal')
  await expect.poll(() => backend.state.value.state).toBe('ready')

  const ask = async (signal: AbortSignal): Promise<void> => {
    const gate = privacy.gate(level, 'a chat')
    const answer = backend.answer([{ role: 'user', content: 'Who reads this?' }], signal, gate, 'a chat')
    for await (const event of answer) if (event.type === 'text') throw new Error('nobody answers here')
  }
  const isEarned = () => expect.poll(() => keeper.state.value.phase).toBe('earned')
  return {
    sent,
    /** The proxy tells these keys only after the list for the first check, which was empty. */
    async toldLate(keys: readonly ReadKey[]): Promise<void> {
      told = keys
      await isEarned()
    },
    keeper,
    consent: privacy.consent,
    tell: (keys: readonly ReadKey[]) => {
      told = keys
    },
    /** A check that is told `slow` is given up for one of a new connection that is told `quick`, and ends after it; `later` are told then. */
    async overtaken(slow: readonly ReadKey[], quick: readonly ReadKey[], later: readonly ReadKey[]): Promise<void> {
      await expect.poll(() => keeper.state.value.phase).not.toBe('checking')
      const hold = Promise.withResolvers<void>()
      ;[told, held] = [slow, hold.promise]
      aheadMs += oneMinuteMs
      keeper.checkAgain()
      await expect.poll(() => heldKeys).toBe(1)
      ;[told, held] = [quick, undefined]
      aheadMs += oneMinuteMs
      // Another name, and the first again: each time the check that runs is given up.
      const good = config.value
      config.set({ ...good, disputed: { first: 'http://127.0.0.1:1', other: 'http://127.0.0.1:2' } })
      config.set(good)
      await isEarned()
      hold.resolve()
      // What the old check asked for has come.
      await peer.client.models()
      told = later
      aheadMs += oneMinuteMs
      expect(keeper.state.value.phase).toBe('earned')
    },
    /** The check is made while the proxy tells these keys; afterwards `later` are told, `passedMs` later. */
    async checkedWith(first: readonly ReadKey[], later: readonly ReadKey[], passedMs: number): Promise<void> {
      // Behind the check that the first look at the models began, which was told of no key: that counts for a second.
      await expect.poll(() => keeper.state.value.phase).not.toMatch(/idle|checking/)
      told = first
      aheadMs += 2_000
      keeper.checkAgain()
      await isEarned()
      const { state } = keeper
      const rows = state.value.phase === 'earned' ? state.value.report.rows : []
      expect(rows.find(({ id }) => id === (level === 'open' ? 'sealed' : 'worker'))).toMatchObject({ result: 'passed' })
      told = later
      aheadMs += passedMs
      // The seal stands: only what is looked at right before the sending is in the way.
      expect(keeper.state.value.phase).toBe('earned')
    },
    /** A question that nobody may read. */
    refused: async (): Promise<unknown> => ask(AbortSignal.timeout(15_000)).catch((thrown: unknown) => thrown),
    /** Whom a question is sealed to. */
    async reader(): Promise<Uint8Array | undefined> {
      const stop = new AbortController()
      const asked = ask(stop.signal).catch((thrown: unknown) => thrown)
      const first = await Promise.race([asked.then((thrown) => expect.fail(String(thrown))), vi.waitUntil(() => sent[0], 60_000)])
      stop.abort()
      return first?.key
    },
  }
}
describe.each(['open', 'attested'] as const)('a question of the level %s, checked while a proxy told a worker’s key', (level) => {
  it('is not sent, sealed or readable, once the proxy hides all keys and the one it told has run out', async () => {
    const { checkedWith, refused, sent } = await openedBefore(level)
    await checkedWith([await keyOf(3, 1, oneMinuteMs)], [], oneMinuteMs + 1_000)
    expect(await refused()).toMatchObject({ code: 'seal-unavailable' })
    expect(sent).toEqual([])
  })

  it('is sealed to nobody else when the proxy tells the good key of another owner in its place, and the next check finds that one', async () => {
    const { checkedWith, refused, reader, sent } = await openedBefore(level)
    const other = await keyOf(4, 2)
    await checkedWith([await keyOf(3, 1)], [other], oneMinuteMs)
    expect(await refused()).toMatchObject({ code: 'seal-unavailable', message: expect.stringContaining('none of those') })
    expect(sent).toEqual([])
    // The refusal has begun a check: the sheet names the other worker before anything is sealed to it.
    expect(Buffer.from((await reader()) ?? [])).toEqual(Buffer.from(other.id))
    expect(sent.map(({ name }) => name)).toEqual(['client.runSealedQuery'])
  })

  it('is not sealed to whom a check found that was given up, and that ended after the one which earned the seal', async () => {
    const { overtaken, refused, sent } = await openedBefore(level)
    const slow = await keyOf(4, 2)
    await overtaken([slow], [await keyOf(3, 1)], [slow])
    expect(await refused()).toMatchObject({ code: 'seal-unavailable', message: expect.stringContaining('none of those') })
    expect(sent).toEqual([])
  })
})

describe('a worker whose key comes a moment after its offer', () => {
  it('earns the Attested network without anybody asking again', async () => {
    const { toldLate } = await openedBefore('attested')
    await toldLate([await keyOf(3, 1)])
  })
})

describe('a worker of the same owner that has a new key, as after a restart', () => {
  it('is sealed to on the Open network, whose sheet names the owner', async () => {
    const { checkedWith, reader } = await openedBefore('open')
    const again = await keyOf(3, 2)
    await checkedWith([await keyOf(3, 1)], [again], oneMinuteMs)
    expect(Buffer.from((await reader()) ?? [])).toEqual(Buffer.from(again.id))
  })

  it('is checked first on the Attested one, whose sheet names the key', async () => {
    const { checkedWith, refused, sent } = await openedBefore('attested')
    await checkedWith([await keyOf(3, 1)], [await keyOf(3, 2)], oneMinuteMs)
    expect(await refused()).toMatchObject({ code: 'seal-unavailable' })
    expect(sent).toEqual([])
  })
})

describe('the seal of an opened network that was checked before any worker had announced a key', () => {
  const rowOf = (state: SealState, id: string) =>
    'report' in state ? state.report?.rows.find((row) => row.id === id) : undefined

  it('is checked anew once there is one, unasked', async () => {
    const open = await openedBefore('open')
    await expect.poll(() => rowOf(open.keeper.state.value, 'sealed')?.result).toBe('not-checked')
    open.tell([await keyOf(3, 1)])
    await expect.poll(() => rowOf(open.keeper.state.value, 'sealed')?.result).toBe('passed')
    const attested = await openedBefore('attested')
    await expect.poll(() => attested.keeper.state.value.phase).toBe('failed')
    attested.tell([await keyOf(3, 1)])
    await expect.poll(() => attested.keeper.state.value.phase).toBe('earned')
  })

  it('lets no question leave readable but with the consent that names the proxy’s owner', async () => {
    const { keeper, consent, refused, reader, sent } = await openedBefore('open')
    await expect.poll(() => keeper.state.value.phase).toBe('earned')
    expect(await refused()).toMatchObject({ code: 'needs-consent', words: { code: 'needs-consent-proxy' } })
    expect(sent).toEqual([])
    consent.give('a chat', 'proxy-too')
    expect(await reader()).toBeUndefined()
    expect(sent.map(({ name }) => name)).toEqual(['client.runQueryEx'])
  })
})

describe('a consent that names the proxy’s owner, given before a check was made', () => {
  it('lets nothing leave readable once a check has promised a seal, though the proxy hides all keys after it', async () => {
    const { checkedWith, keeper, consent, refused, sent } = await openedBefore('open')
    consent.give('a chat', 'proxy-too')
    await checkedWith([await keyOf(3, 1, oneMinuteMs)], [], oneMinuteMs + 1_000)
    const sealed = () => {
      const { value } = keeper.state
      return value.phase === 'earned' ? value.report.rows.find(({ id }) => id === 'sealed')?.result : undefined
    }
    keeper.checkAgain()
    await expect.poll(sealed).toBe('not-checked')
    expect(await refused()).toMatchObject({ code: 'needs-consent', words: { code: 'needs-consent-proxy' } })
    expect(sent).toEqual([])
  })
})

describe('what a question of the Open network asks of its seal', () => {
  const report = (result: 'passed' | 'not-checked') => ({
    ...{ connection: 'c', checkedAtMs: 1, evidence: [] },
    rows: [{ id: 'sealed', result, statement: { text: '' }, sentence: { text: '' } }],
  })
  const permit = { level: 'open', connection: 'c' } as const
  const readable = { ...permit, mayBeReadable: true }
  it.each<[string, Permit, SealState, string]>([
    ['consent to the worker’s owner alone', permit, { phase: 'earned', report: report('not-checked') }, 'required'],
    ['consent to both, where the sheet promises a seal', readable, { phase: 'earned', report: report('passed') }, 'required'],
    ['consent to both, while it is checked anew', readable, { phase: 'checking' }, 'required'],
    ['consent to both, where nobody can be sealed to', readable, { phase: 'earned', report: report('not-checked') }, 'agreed'],
  ])('%s', (_name, given, seal, wish) => {
    expect(openWish(given, seal, new Set()).seal).toBe(wish)
  })
})
