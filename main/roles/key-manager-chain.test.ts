import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { NetAddress } from '../../contracts/net-address.ts'
import { createLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { eventually, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { sealingKeys } from '../ton/sealing-keys.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { startKeyManagerRole } from './key-manager-role.ts'
import { openKeySource } from './network-keys.ts'

const ownerKey = testKey(61)
const owner = w5Address(ownerKey.publicKey, 'local')
const { address, order } = deployRoot({ owner, params: { ...localParams, structVersion: 4 } })
const folder = newFolder()
const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-key-chain-'))
const log: string[] = []
let local: LocalChain
let wallet: W5Wallet
let root: RootWatcher
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('1000') }] })
  wallet = new W5Wallet(local.chain, ownerKey)
  await carryOut(local.chain, wallet, [order])
  root = watchRoot(local.chain, address, { intervalMs: 200 })
  root.start()
})
afterAll(async () => {
  for (const close of closers.reverse()) await close()
  await root.stop()
  wallet.close()
  await local.close()
  folder.remove()
  rmSync(dataDir, { recursive: true, force: true })
})

it('a new key manager waits for money, tells its key, and lists keys as soon as the owner has named it', async () => {
  const options = {
    network: { name: 'test', root: root.config, chain: local.chain, close: async () => undefined },
    ...{ dataDir, owner, entries: childEntries(import.meta.url), roots: intelRoots, signal: new AbortController().signal },
    logger: createLogger((line) => log.push(line), 'debug', 'role'),
  }
  const rotation = { everyMs: 3_600_000, validMs: 86_400_000, leadMs: 100, tickMs: 100, retryMs: 300 }
  const starting = startKeyManagerRole({
    ...{ ...options, host: '127.0.0.1', port: 0, policy: 'any', plain: true, difficulty: 0, rotation },
  })
  const holder = await eventually(() => /needs Toncoin.*? address=(\S+)/.exec(log.join('\n'))?.[1])
  const gift = { to: Address.parse(holder), value: toNano('5'), body: beginCell().endCell(), bounce: false }
  await carryOut(local.chain, wallet, [{ title: 'gift', message: gift }])
  const role = await starting
  closers.push(() => role.stop(0))
  const facts = role.facts.join('\n')
  const publicKey = /Key manager: ([0-9a-f]{64})/.exec(facts)?.[1] ?? ''
  const port = Number(/127\.0\.0\.1:(\d+) \(policy any\)/.exec(facts)?.[1])
  expect(facts).toContain('does not name it yet')
  await eventually(() => (log.some((line) => line.includes('names another key manager')) ? true : undefined))

  const config = await root.refresh()
  const endpoints = { forWorkers: { host: '127.0.0.1', port }, forClients: { host: '127.0.0.1', port } }
  const named = { publicKey: Buffer.from(publicKey, 'hex'), imageHash: new Uint8Array(32), endpoints }
  await carryOut(local.chain, wallet, [orderToRoot(config, { op: 'changeKeyManager', ...named }, 'Name the key manager')])
  const [key] = await eventually(() => {
    const keys = root.config.value === null ? [] : sealingKeys(root.config.value, Date.now())
    return keys.length > 0 ? keys : undefined
  })
  // A proxy of this network finds it by the contract, and holds what clients encrypt for.
  const source = openKeySource('proxy', { policy: 'any', dial: plainDial }, options)
  source.start()
  closers.push(() => source.stop())
  await eventually(() => source.privateKeyOf(key?.publicKey ?? new Uint8Array(32)))
  expect(root.config.value?.keyManager?.keys).toHaveLength(1)
  expect(log.join('\n')).not.toContain(
    Buffer.from(source.privateKeyOf(key?.publicKey ?? new Uint8Array(32)) ?? []).toString('hex'),
  )
})

async function plainDial({ host, port }: NetAddress) {
  return (await dialDirect({ host, port, plain: true })).connection
}
