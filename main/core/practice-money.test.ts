import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { BackendEvent } from '../chat/backend.ts'
import { TopUpKeeper } from '../client/top-up-keeper.ts'
import type { EngineState } from '../inference/engine.ts'
import { handOutCoins } from '../localnet/genesis.ts'
import { bystander, payment } from '../localnet/testing.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { PracticeBackend } from './practice-backend.ts'
import { keys, PaidNetwork } from './testing/paid-network.ts'

describe('the money of the practice network', () => {
  let net: PaidNetwork
  let wallet: W5Wallet
  let owner: W5Wallet
  const opened = toNano('0.05')
  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount(opened)
    await net.workerReady()
    wallet = new W5Wallet(net.chain, keys.user)
    owner = new W5Wallet(net.chain, keys.networkOwner)
  })
  afterAll(async () => {
    wallet.close()
    owner.close()
    await net.stop()
  })

  /** The name of the connection that stands. */
  const standing = 'to the proxy'
  const inWallet = (): Promise<bigint> => net.balanceOf(net.network.user)
  const onChat = (): bigint => net.connection()?.balance ?? 0n

  /** Asks at the level "Practice network". */
  async function ask(
    terms: { readonly amount: bigint; readonly fund?: () => Promise<void> },
    checked: () => string = () => standing,
  ): Promise<BackendEvent[]> {
    const keeper = new TopUpKeeper(net.client, silentLogger, { lowMark: 0n, ...terms })
    const practice = new PracticeBackend()
    practice.attach({
      client: net.client,
      model: net.backend.model,
      modelName: 'Scripted',
      contextTokens: () => undefined,
      root: () => net.network.config,
      isPermitted: (wire, permitted) => wire === net.connection()?.wire && permitted === standing,
      worker: net.worker,
      isOwnProxy: () => true,
      engine: new Signal<EngineState>({ status: 'ready', model: net.backend.model, contextTokens: 4096 } as EngineState),
      refill: (missing) => keeper.refill(missing),
    })
    const events: BackendEvent[] = []
    const gate = async () => ({ level: 'practice' as const, connection: checked() })
    try {
      const question = [{ role: 'user', content: 'hi' }] as const
      for await (const event of practice.answer(question, AbortSignal.timeout(60_000), gate, 'a chat')) events.push(event)
    } finally {
      practice.attach(undefined)
      keeper.stop()
    }
    return events
  }

  it('tells the turn that the wallet is short, where that is why', async () => {
    await wallet.send([payment(bystander(8), (await inWallet()) - toNano('0.5'))])
    const short = { code: 'balance-too-low', money: 'Nothing was sent.', words: { values: { bound: 'wallet' } } }
    await expect(ask({ amount: toNano('1') })).rejects.toMatchObject(short)
    expect(onChat()).toBe(opened)
  })

  it('hands out test coins to a wallet that is short, puts them on the chat balance, and answers', async () => {
    const before = await inWallet()
    const fund = (): Promise<void> => handOutCoins({ chain: net.chain, keys, owner })
    expect((await ask({ amount: toNano('1'), fund })).at(-1)).toMatchObject({ type: 'final', reason: 'stop' })
    expect(onChat()).toBe(opened + toNano('1'))
    expect(await inWallet()).toBeGreaterThan(before + toNano('98'))
    // A wallet that has enough gets nothing.
    const enough = await inWallet()
    await fund()
    expect(await inWallet()).toBe(enough)
  })

  it('sends nothing over another connection than was checked, and asks once that one is', async () => {
    const before = net.backend.requests.length
    const seen: number[] = []
    const answer = ask({ amount: toNano('1') }, () => {
      seen.push(net.backend.requests.length)
      return seen.length > 1 ? standing : 'one that is gone'
    })
    expect((await answer).at(-1)).toMatchObject({ type: 'final', reason: 'stop' })
    expect(seen.slice(0, 2)).toEqual([before, before])
    expect(net.backend.requests.length).toBe(before + 1)
  })
})
