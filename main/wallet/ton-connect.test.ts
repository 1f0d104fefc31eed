import { beginCell, toNano } from '@ton/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, newFolder, startChain, testKey } from '../localnet/testing.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot } from '../ton/root-orders.ts'
import { carryOut } from './orders.ts'
import { type Bridge, openBridge } from './testing/bridge.ts'
import { PhoneWallet } from './testing/phone-wallet.ts'
import { type ConnectedWallet, connectWallet, type TonConnectOptions } from './ton-connect.ts'
import { w5Address } from './w5-wallet.ts'

/* The embedded chain stands for the test network; the bridge speaks the real protocol, and the wallet at its other end has a real key. */

const key = testKey(3)
const folder = newFolder()
let local: LocalChain
let chain: Chain
let bridge: Bridge
let phone: PhoneWallet
let wallet: ConnectedWallet | undefined

beforeAll(async () => {
  // The library tells its steps to the console.
  for (const level of ['debug', 'warn', 'error'] as const) vi.spyOn(console, level).mockImplementation(() => undefined)
  local = await startChain(folder.path, { genesis: [{ address: w5Address(key.publicKey, 'testnet'), balance: toNano('50') }] })
  chain = httpChain({ kind: 'testnet', endpoint: local.endpoint, pollIntervalMs: 50 })
})
afterAll(async () => {
  vi.restoreAllMocks()
  await local.close()
  folder.remove()
})
beforeEach(async () => {
  bridge = await openBridge()
  phone = new PhoneWallet(chain, key)
})
afterEach(async () => {
  await wallet?.close()
  wallet = undefined
  phone.close()
  await bridge.close()
})

function connect(change: Partial<TonConnectOptions> = {}): Promise<ConnectedWallet> {
  return connectWallet({
    chain: 'testnet',
    manifestUrl: 'https://example.org/tonconnect-manifest.json',
    bridgeUrl: bridge.url,
    universalLink: 'https://example.org/wallet',
    showLink: (link) => void phone.scan(link, bridge.url),
    patienceMs: 10_000,
    ...change,
  })
}

describe('a wallet over TON Connect', () => {
  it('deploys a contract and sends operations, each approved over there and followed on chain', async () => {
    let shown = ''
    wallet = await connect({
      showLink: (link) => {
        shown = link
        void phone.scan(link, bridge.url)
      },
    })
    expect(new URL(shown).origin).toBe('https://example.org')
    expect(JSON.parse(new URL(shown).searchParams.get('r') ?? '')).toMatchObject({
      manifestUrl: 'https://example.org/tonconnect-manifest.json',
    })
    expect(wallet.address.equals(phone.address)).toBe(true)
    expect(wallet.name).toBe('PhoneWallet')
    const { address, order } = deployRoot({ owner: wallet.address, params: localParams })
    const gift = { title: 'gift', message: { to: bystander(1), value: 5n, body: beginCell().endCell(), bounce: false } }
    await carryOut(chain, wallet, [order, gift], { pollMs: 50 })
    const root = await readRoot(chain, address)
    expect(root.owner.equals(phone.address)).toBe(true)
    expect((await chain.account(bystander(1))).balance).toBe(5n)
    expect(phone.asked[0]).toContain('"network\\":\\"-3\\"')
    // The bridge between them read nothing of it.
    for (const message of bridge.seen) {
      expect(message).not.toContain(address.toString())
      expect(Buffer.from(message, 'base64').toString('latin1')).not.toContain('sendTransaction')
    }
  })

  it('that declines has sent nothing, and the next request may be approved', async () => {
    wallet = await connect()
    phone.answer = 'declines'
    const payment = [{ to: bystander(2), value: 7n, body: beginCell().endCell(), bounce: false }]
    await expect(wallet.send(payment)).rejects.toMatchObject({ code: 'wallet-declined', money: 'Nothing was sent.' })
    phone.answer = 'approves'
    await wallet.send(payment)
    expect((await chain.account(bystander(2))).balance).toBe(7n)
  })

  it('that does not answer leaves it open, and says until when', async () => {
    wallet = await connect({ patienceMs: 700 })
    phone.answer = 'stays silent'
    const payment = [{ to: bystander(3), value: 7n, body: beginCell().endCell(), bounce: false }]
    await expect(wallet.send(payment)).rejects.toMatchObject({
      code: 'wallet-silent',
      money: expect.stringContaining('not known'),
    })
  })

  it('that refuses to connect, or is set to another network, is not used', async () => {
    phone.answer = 'declines'
    await expect(connect()).rejects.toMatchObject({ code: 'wallet-declined' })
    phone = new PhoneWallet(chain, key)
    phone.network = '-239'
    await expect(connect()).rejects.toMatchObject({ code: 'wallet-other-network', money: 'Nothing was sent.' })
  })

  it.each([
    ['no address', 'rubbish'],
    ['another workchain', `-1:${'11'.repeat(32)}`],
    ['rubbish around an address', `0:${'11'.repeat(32)}zz`],
  ])('that says %s is not used, and the failure has its type', async (_what, said) => {
    phone.saysAddress = said
    await expect(connect({ patienceMs: 2000 })).rejects.toMatchObject({
      name: 'Failure',
      code: expect.stringMatching(/^wallet-(malformed|bridge|silent)$/),
      money: expect.stringContaining('Nothing was sent'),
    })
  })

  it('writes nothing but letters to the terminal', async () => {
    phone.saysName = '\u001b[2JEvil\r\nWallet\u202e\u0007'
    wallet = await connect()
    expect(wallet.name).toBe('[2JEvil Wallet')
  })

  it('that never comes is waited for no longer than said', async () => {
    await expect(connect({ showLink: () => undefined, patienceMs: 500 })).rejects.toMatchObject({ code: 'wallet-silent' })
  })
})
