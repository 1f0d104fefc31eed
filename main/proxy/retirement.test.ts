import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Address, type Cell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientChangeSecretAndTopUp, clientInit, parseClientState } from '../../contracts/client.ts'
import { randomQueryId } from '../../contracts/common.ts'
import { parseProxyState } from '../../contracts/proxy.ts'
import { rootRequest } from '../../contracts/root.ts'
import { keySigner } from '../../contracts/signed.ts'
import { silentLogger } from '../base/logger.ts'
import { buildLocalNetwork, type LocalNetwork, localEndpoints, localGenesis } from '../localnet/genesis.ts'
import { Ledger as ChainLedger } from '../localnet/ledger.ts'
import { Machine } from '../localnet/machine.ts'
import { rpcPath, rpcServer } from '../localnet/rpc-server.ts'
import { eventually, newFolder, testKey } from '../localnet/testing.ts'
import { callMethod } from '../localnet/toncenter-methods.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import type { OutMessage } from '../wallet/sender.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { plainPort } from './ports.ts'
import { CocoonProxy } from './proxy.ts'
import { testConfig } from './testing/fixtures.ts'

const keys = {
  networkOwner: testKey(21),
  user: testKey(22),
  proxy: testKey(23),
  proxyWallet: testKey(24),
  workerWallet: testKey(25),
}

/** A proxy on the real machine of the local chain, whose clock the test moves on. */
describe('the contract of former terms', () => {
  const folder = newFolder()
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  const closers: (() => unknown)[] = []
  let chain: Chain
  let network: LocalNetwork
  let root: RootWatcher
  let owner: W5Wallet
  let user: W5Wallet
  let proxy: CocoonProxy
  let node: CocoonWallet

  const makeProxy = (): CocoonProxy =>
    new CocoonProxy(
      testConfig(folder.path, {
        owner: network.networkOwner,
        stakeNano: toNano('1'),
        terms: {
          chargeNano: toNano('1'),
          payoutNano: toNano('1'),
          chainCommitDelayMs: () => 200,
          tickMs: 100,
          resendMs: 15_000,
        },
      }),
      {
        root: root.config,
        side: { kind: 'chain', chain, sender: node },
        key: { publicKey: keys.proxy.publicKey, signer: keySigner(keys.proxy.secretKey) },
        openWorkerPort: plainPort(),
        openClientPort: plainPort(),
        logger: silentLogger,
        now,
      },
    )

  beforeAll(async () => {
    const ledger = new ChainLedger(join(folder.path, 'chain.sqlite'), 5_000)
    const { machine } = await Machine.open(ledger, [...localGenesis(keys)], () => Math.floor(now() / 1000))
    const server = rpcServer((method, params) => callMethod(machine, method, params))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(async () => {
      server.close()
      await machine.idle()
      ledger.close()
    })
    chain = httpChain({ kind: 'local', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}${rpcPath}` })
    owner = new W5Wallet(chain, keys.networkOwner)
    user = new W5Wallet(chain, keys.user)
    const endpoints = localEndpoints({ workerPort: 11101, clientPort: 11102 })
    network = await buildLocalNetwork({ chain, keys, owner, endpoints })
    node = new CocoonWallet(chain, keys.proxyWallet, network.networkOwner)
    root = watchRoot(chain, network.root, { intervalMs: 300 })
    root.start()
    closers.push(
      () => root.stop(),
      () => [owner, user, node].map((wallet) => wallet.close()),
    )
    proxy = makeProxy()
    await proxy.start()
  })
  afterAll(async () => {
    await proxy.stop()
    for (const close of closers.reverse()) await close()
    folder.remove()
  })

  const stateOf = async () => {
    const { data } = await chain.account(network.proxyContract)
    return data === null ? undefined : parseProxyState(data)
  }
  const clientIdentity = (of: Address) => ({
    owner: of,
    proxy: network.proxyContract,
    publicKey: keys.proxy.publicKey,
    params: network.config.params,
  })

  it('closes: clients get their money back first, and after its time the owner gets stake and commission', async () => {
    const { address, init } = clientInit(clientIdentity(network.user))
    const fill: Cell = clientChangeSecretAndTopUp(
      { queryId: randomQueryId(), excesses: network.user },
      new Uint8Array(32).fill(1),
      toNano('3'),
    )
    const message: OutMessage = { to: address, value: toNano('3.7'), body: fill, init, bounce: false }
    await user.send([message])
    await eventually(() => (proxy.account('client', network.user)?.client?.balance === toNano('3') ? true : undefined))
    const before = (await chain.account(network.networkOwner)).balance

    const terms = { pricePerToken: 300_000n, workerFeePerToken: 200_000n }
    const change = rootRequest(randomQueryId(), { op: 'changePrice', ...terms })
    await owner.send([{ to: network.root, value: toNano('0.2'), body: change, bounce: true }])
    await eventually(async () => ((await stateOf())?.state === 'closing' ? true : undefined))
    await eventually(async () => {
      const { data } = await chain.account(address)
      return data !== null && parseClientState(data).state === 'closed' ? true : undefined
    })
    // Its time is not over: a restart changes nothing, and the contract stays as it is.
    await proxy.stop()
    proxy = makeProxy()
    await proxy.start()
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(await stateOf()).toMatchObject({ state: 'closing', stake: toNano('1') })
    expect(proxy.status.value.oldContracts).toBe(1)

    aheadMs += 65_000
    await eventually(async () => ((await stateOf())?.state === 'closed' ? true : undefined))
    await eventually(async () =>
      (await chain.account(network.networkOwner)).balance > before + toNano('0.5') ? true : undefined,
    )
    await eventually(() => (proxy.status.value.oldContracts === 0 ? true : undefined))
    // And it is not taken up again.
    await proxy.stop()
    proxy = makeProxy()
    await proxy.start()
    expect(proxy.status.value.oldContracts).toBe(0)
  })
})
