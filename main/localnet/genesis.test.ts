import { beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCocoonWalletState } from '../../contracts/cocoon-wallet.ts'
import { storeParams } from '../../contracts/params.ts'
import { parseProxyState } from '../../contracts/proxy.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import type { Sender } from '../wallet/sender.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import {
  buildLocalNetwork,
  type LocalKeys,
  type LocalNetwork,
  localAddresses,
  localEndpoints,
  localGenesis,
  localParams,
  updateProxyEntry,
} from './genesis.ts'
import type { LocalChain } from './local-chain.ts'
import { newFolder, startChain, testKey } from './testing.ts'

const keys: LocalKeys = {
  networkOwner: testKey(1),
  user: testKey(2),
  proxy: testKey(3),
  proxyWallet: testKey(4),
  workerWallet: testKey(5),
}
const endpoints = localEndpoints({ workerPort: 5001, clientPort: 5002 })
const folder = newFolder()
let local: LocalChain
let owner: W5Wallet
let network: LocalNetwork

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: localGenesis(keys) })
  owner = new W5Wallet(local.chain, keys.networkOwner)
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

const build = (by: Sender = owner): Promise<LocalNetwork> => buildLocalNetwork({ chain: local.chain, keys, owner: by, endpoints })
const valueReceived = async (address: LocalNetwork['user']): Promise<bigint> => {
  const transactions = await local.chain.transactions(address, 50)
  return transactions.reduce(
    (sum, one) => sum + (one.inMessage?.info.type === 'internal' ? one.inMessage.info.value.coins : 0n),
    0n,
  )
}

describe('the local network', () => {
  it('is built by messages of its owner, and goes on after an interruption without giving anything twice', async () => {
    let sends = 0
    const tiring: Sender = {
      address: owner.address,
      send: async (messages) => {
        if (sends === 1) throw new Failure('send-refused', 'tired')
        sends += 1
        await owner.send(messages)
      },
    }
    await expect(build(tiring)).rejects.toThrow('tired')
    const said: string[] = []
    network = await buildLocalNetwork({
      chain: local.chain,
      keys,
      owner,
      endpoints,
      onProgress: (sentence) => said.push(sentence),
    })
    expect(said).toEqual(['Looking at the local chain', 'Deploying the proxy contract with its stake', 'Checking the contracts'])
    expect(await valueReceived(network.user)).toBe(toNano('100'))
    expect(await valueReceived(network.proxyWallet)).toBe(toNano('20'))
    expect(await valueReceived(network.workerWallet)).toBe(toNano('10'))
  })

  it('has the terms, the proxy entry and the owners of the plan', async () => {
    expect(network.config).toMatchObject({
      version: 1,
      lastProxySeqno: 1,
      proxies: [{ seqno: 1, ...endpoints }],
      params: {
        structVersion: 3,
        isTest: true,
        pricePerToken: 200_000n,
        workerFeePerToken: 150_000n,
        multipliers: { prompt: 10_000, cached: 1000, completion: 80_000, reasoning: 80_000 },
        proxyDelaySec: 60,
        clientDelaySec: 30,
        minClientStake: toNano('5'),
        minProxyStake: toNano('1'),
      },
    })
    expect(network.config.owner.equals(network.networkOwner)).toBe(true)
    const account = await local.chain.account(network.proxyContract)
    if (account.data === null) throw new Error('the proxy contract is missing')
    const proxy = parseProxyState(account.data)
    expect(proxy).toMatchObject({ state: 'normal', stake: toNano('1'), balance: 0n })
    expect(proxy.owner.equals(network.networkOwner)).toBe(true)
    expect(Buffer.from(proxy.publicKey)).toEqual(Buffer.from(keys.proxy.publicKey))
    expect(account.balance).toBeGreaterThanOrEqual(toNano('1'))
    const node = await local.chain.account(network.workerWallet)
    if (node.data === null) throw new Error('the node wallet is missing')
    expect(parseCocoonWalletState(node.data).owner.equals(network.user)).toBe(true)
  })

  it('sends nothing when all is there, also after the chain was killed and started again', async () => {
    const seqno = (await local.chain.runGetter(owner.address, 'seqno')).readNumber()
    await build()
    process.kill(local.pid ?? 0, 'SIGKILL')
    const again = await build()
    expect(again.proxyContract.equals(network.proxyContract)).toBe(true)
    expect((await local.chain.runGetter(owner.address, 'seqno')).readNumber()).toBe(seqno)
  })

  it('says which folder to move away when the contracts never take what was ordered', async () => {
    const { chain } = local
    // A chain that shows this one contract never to be there.
    const blind: Chain = {
      kind: 'local',
      endpoint: chain.endpoint,
      account: async (address) => {
        const state = await chain.account(address)
        return address.equals(network.proxyContract) ? { ...state, status: 'uninit', data: null } : state
      },
      runGetter: (address, name, args) => chain.runGetter(address, name, args),
      transactions: (address, limit, before) => chain.transactions(address, limit, before),
      send: (boc) => chain.send(boc),
      watch: (address, afterLt, signal) => chain.watch(address, afterLt, signal),
    }
    await expect(buildLocalNetwork({ chain: blind, keys, owner, endpoints })).rejects.toMatchObject({
      code: 'genesis-incomplete',
      advice: expect.stringMatching(/move the folder "chain" out of the data folder/),
    })
  })

  it('moves the proxy entry when the ports change, under the same number', async () => {
    const moved = localEndpoints({ workerPort: 6001, clientPort: 6002 })
    const config = await updateProxyEntry(local.chain, owner, network.root, moved)
    expect(config.proxies).toEqual([{ seqno: 1, ...moved }])
    expect(config.version).toBe(2)
    expect((await updateProxyEntry(local.chain, owner, network.root, moved)).version).toBe(2)
    const { params } = await readRoot(local.chain, network.root)
    expect(storeParams(params, 'root').equals(storeParams(network.config.params, 'root'))).toBe(true)
  })
})

describe('a local network that an older version made', () => {
  it('keeps its network contract, and the code of the others comes from it', async () => {
    const before = newFolder()
    const chain = await startChain(before.path, { genesis: localGenesis(keys) })
    try {
      const sender = new W5Wallet(chain.chain, keys.networkOwner)
      // Other code for the clients: the address of the network contract differs from what this version would deploy.
      const codes = { ...localParams.codes, client: beginCell().storeUint(0xc0de, 16).endCell() }
      const former = deployRoot({ owner: sender.address, params: { ...localParams, codes } })
      await carryOut(chain.chain, sender, [former.order])
      expect(former.address.equals(localAddresses(keys).root)).toBe(false)

      const found = await buildLocalNetwork({ chain: chain.chain, keys, owner: sender, endpoints })
      expect(found.root.equals(former.address)).toBe(true)
      expect(found.config.params.codes.client?.equals(codes.client)).toBe(true)
      expect((await chain.chain.account(localAddresses(keys).root)).status).toBe('uninit')
      const again = await buildLocalNetwork({ chain: chain.chain, keys, owner: sender, endpoints })
      expect(again.root.equals(former.address)).toBe(true)
      expect(again.proxyContract.equals(found.proxyContract)).toBe(true)
    } finally {
      await chain.close()
      before.remove()
    }
  })
})
