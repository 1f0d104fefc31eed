import { beginCell, type Cell, contractAddress, type Transaction, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractCode } from '../../contracts/code.ts'
import { rootInit, rootRequest } from '../../contracts/root.ts'
import { pause } from '../base/pause.ts'
import { httpChain } from '../ton/http-chain.ts'
import { readRoot, watchRoot } from '../ton/root-config.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { localParams } from './genesis.ts'
import type { LocalChain } from './local-chain.ts'
import { bystander, eventually, newFolder, payment, startChain, testKey } from './testing.ts'

const key = testKey(1)
const rich = w5Address(key.publicKey, 'local')
const folder = newFolder()
let local: LocalChain
let wallet: W5Wallet

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: rich, balance: toNano('1000') }] })
  wallet = new W5Wallet(local.chain, key, { resendMs: 500, pollMs: 50 })
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

describe('watching an account', () => {
  it('brings every transaction once and in order, through a kill of the chain, also to a watcher that begins in the middle', async () => {
    const target = bystander(1)
    const ending = new AbortController()
    const seen: Transaction[] = []
    const watcher = (async () => {
      for await (const transaction of local.chain.watch(target, 0n, ending.signal)) seen.push(transaction)
    })()
    // More at once than a first look reads, then the kill, then more.
    for (let number = 1; number <= 7; number += 1) {
      await wallet.send([1, 2, 3, 4].map((part) => payment(target, BigInt(number * 10 + part))))
      if (number === 3) process.kill(local.pid ?? 0, 'SIGKILL')
    }
    await eventually(() => (seen.length >= 28 ? true : undefined))
    const middle = seen[19]
    if (middle === undefined) throw new Error('too few')
    const late: bigint[] = []
    for await (const transaction of local.chain.watch(target, middle.lt, ending.signal)) {
      late.push(transaction.lt)
      if (late.length === 8) break
    }
    await pause(600)
    ending.abort()
    await watcher
    expect(seen).toHaveLength(28)
    expect(seen.map((one) => one.lt)).toEqual([...seen].sort((a, b) => Number(a.lt - b.lt)).map((one) => one.lt))
    expect(seen.map(coinsOf)).toEqual(
      Array.from({ length: 7 }, (_, index) => [1, 2, 3, 4].map((part) => BigInt((index + 1) * 10 + part))).flat(),
    )
    expect(late).toEqual(seen.slice(20).map((one) => one.lt))
  })

  it('ends at once when asked, also while the endpoint is away', async () => {
    const ending = new AbortController()
    // Not only with the next look.
    const watching = httpChain({ kind: 'local', endpoint: local.endpoint, pollIntervalMs: 300_000 })
      .watch(bystander(1), (await newestLt()) ?? 0n, ending.signal)
      [Symbol.asyncIterator]()
      .next()
    await pause(50)
    ending.abort()
    expect((await watching).done).toBe(true)
  })
})

describe('watching the root contract', () => {
  it('follows its changes, and keeps the last good reading with its age when the chain is away', async () => {
    const root = rootInit(contractCode.root, { owner: rich, params: localParams })
    await expect(readRoot(local.chain, root.address)).rejects.toMatchObject({ code: 'root-absent' })
    const impatient = httpChain({ kind: 'local', endpoint: local.endpoint, retryForMs: 200 })
    const watcher = watchRoot(impatient, root.address, { intervalMs: 50 })
    watcher.start()
    await eventually(() => (watcher.failure.value?.code === 'root-absent' ? true : undefined))
    expect(watcher.config.value).toBeNull()

    await wallet.send([{ to: root.address, value: toNano('1'), body: beginCell().endCell(), init: root.init }])
    const first = await eventually(() => watcher.config.value ?? undefined)
    expect(first).toMatchObject({ version: 0, proxies: [], params: { pricePerToken: 200_000n } })
    expect(first.params.codes.worker?.equals(contractCode.worker)).toBe(true)
    expect(watcher.failure.value).toBeNull()

    const body = rootRequest(1n, { op: 'changePrice', pricePerToken: 7n, workerFeePerToken: 6n })
    await wallet.send([{ to: root.address, value: toNano('0.2'), body }])
    const second = await eventually(() => (watcher.config.value?.version === 1 ? watcher.config.value : undefined))
    expect(second.params).toMatchObject({ paramsVersion: 2, pricePerToken: 7n, workerFeePerToken: 6n })

    await local.close()
    const failure = await eventually(() => watcher.failure.value ?? undefined)
    expect(failure).toMatchObject({ code: 'chain-unreachable', retryable: true })
    const kept = watcher.config.value
    expect(kept).toMatchObject({ version: 1 })
    await pause(150)
    expect(watcher.config.value?.readAtMs).toBe(kept?.readAtMs)
    await expect(watcher.refresh()).rejects.toMatchObject({ code: 'chain-unreachable' })
    await watcher.stop()
    local = await startChain(folder.path)
  })

  it.each<[string, Cell, string]>([
    ['nothing in it', beginCell().endCell(), 'root-malformed'],
    ['text', beginCell().storeStringTail('root').storeRef(beginCell().endCell()).endCell(), 'root-malformed'],
    ['references in a row', nested(200), 'root-malformed'],
    ['a later layout', dataOf(beginCell().storeUint(6, 8).storeUint(1, 32).endCell()), 'root-newer'],
    ['lists that are no dictionaries', dataOf(beginCell().storeUint(3, 8).storeUint(0xffff, 16).endCell()), 'root-malformed'],
  ])('gives a typed failure for a contract with %s', async (_name, data, code) => {
    const init = { code: contractCode.root, data }
    const address = contractAddress(0, init)
    await new W5Wallet(local.chain, key).send([
      { to: address, value: toNano('0.5'), body: beginCell().endCell(), init, bounce: false },
    ])
    expect((await local.chain.account(address)).status).toBe('active')
    await expect(readRoot(local.chain, address)).rejects.toMatchObject({ code })
  })
})

function coinsOf(transaction: Transaction): bigint {
  return transaction.inMessage?.info.type === 'internal' ? transaction.inMessage.info.value.coins : -1n
}

async function newestLt(): Promise<bigint | undefined> {
  return (await local.chain.transactions(bystander(1), 1))[0]?.lt
}

function nested(depth: number): Cell {
  let cell = beginCell().endCell()
  for (let level = 0; level < depth; level += 1) cell = beginCell().storeUint(level, 16).storeRef(cell).storeRef(cell).endCell()
  return cell
}

/** A root's outer cell around params of our choice. */
function dataOf(params: Cell): Cell {
  const lists = beginCell().storeUint(0b111, 3).endCell()
  return beginCell().storeAddress(rich).storeUint(1, 32).storeRef(lists).storeRef(params).endCell()
}
