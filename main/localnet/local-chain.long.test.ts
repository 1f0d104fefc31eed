import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { toNano } from '@ton/core'
import { TonClient } from '@ton/ton'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { alive } from '../base/testing/alive.ts'
import { W5Wallet, type WalletKeyPair, w5Address } from '../wallet/w5-wallet.ts'
import type { LocalChain } from './local-chain.ts'
import { bystander, chainEntry, eventually, newFolder, payment, startChain, testKey } from './testing.ts'

const key: WalletKeyPair = testKey(1)
const rich = w5Address(key.publicKey, 'local')
const genesis = [{ address: rich, balance: toNano('1000') }]
const open: LocalChain[] = []
let folder: ReturnType<typeof newFolder>

beforeEach(() => {
  folder = newFolder()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((chain) => chain.close()))
  folder.remove()
})

async function start(port?: number): Promise<LocalChain> {
  const chain = await startChain(folder.path, { genesis, ...(port === undefined ? {} : { port }) })
  open.push(chain)
  return chain
}

describe('the local chain', () => {
  it('answers TonClient, deploys a wallet, moves coins, and has the same state and history after a restart', async () => {
    const first = await start()
    expect(first.created).toBe(true)
    const client = new TonClient({ endpoint: first.endpoint })
    expect((await client.getContractState(rich)).state).toBe('uninitialized')
    const wallet = new W5Wallet(first.chain, key)
    await wallet.send([payment(bystander(7), toNano('2.5'))])
    await wallet.send([payment(bystander(7), 1n), payment(bystander(8), toNano('1'))])

    // An account that exists pays a few nanoton of storage for each second.
    expect(toNano('2.5') + 1n - (await client.getBalance(bystander(7)))).toBeLessThan(1000n)
    expect((await client.runMethod(rich, 'seqno')).stack.readNumber()).toBe(2)
    expect((await client.runMethod(rich, 'get_public_key')).stack.readBigNumber()).toBe(
      BigInt(`0x${Buffer.from(key.publicKey).toString('hex')}`),
    )
    await expect(client.runMethod(rich, 'no_such_method')).rejects.toThrow(/exit_code: 11/)
    await expect(first.chain.runGetter(bystander(9), 'seqno')).rejects.toMatchObject({ code: 'getter-failed' })
    const before = {
      balance: await client.getBalance(rich),
      history: (await client.getTransactions(rich, { limit: 10 })).map((one) => one.hash().toString('hex')),
      block: (await client.getMasterchainInfo()).latestSeqno,
    }
    expect(before.history).toHaveLength(2)
    await first.close()
    expect(first.state.value.status).toBe('stopped')

    const second = await start(first.port)
    expect(second).toMatchObject({ created: false, port: first.port })
    const again = new TonClient({ endpoint: second.endpoint })
    expect({
      balance: await again.getBalance(rich),
      history: (await again.getTransactions(rich, { limit: 10 })).map((one) => one.hash().toString('hex')),
      block: (await again.getMasterchainInfo()).latestSeqno,
    }).toEqual(before)
    await new W5Wallet(second.chain, key).send([payment(bystander(8), 5n)])
    const [newest, older] = await second.chain.transactions(rich, 2)
    expect(newest?.lt).toBeGreaterThan(older?.lt ?? 0n)
    expect(Math.abs((newest?.now ?? 0) - Date.now() / 1000)).toBeLessThan(30)
  })

  it('loses nothing acknowledged and writes nothing by halves when it is killed in the middle of sends', async () => {
    const running = await start()
    const wallet = new W5Wallet(running.chain, key, { pollMs: 50, resendMs: 500 })
    let acknowledged = 0
    const killer = eventually(() => (acknowledged >= 4 ? process.kill(running.pid ?? 0, 'SIGKILL') : undefined))
    for (let number = 0; number < 12; number += 1) {
      await wallet.send([payment(bystander(7), 1000n), payment(bystander(8), 10n)])
      acknowledged += 1
    }
    await killer
    expect(running.state.value).toMatchObject({ status: 'ready', restarts: 1 })
    // Each order exactly once, both of its halves, whichever of them the kill hit.
    for (const account of [rich, bystander(7), bystander(8)]) {
      expect(await running.chain.transactions(account, 50)).toHaveLength(12)
    }
  })

  it('is given up when it ends again and again soon after each start', async () => {
    const running = await start()
    const killed: number[] = []
    const kill = (): void => {
      if (running.state.value.status !== 'ready' || running.pid === undefined) return
      killed.push(running.pid)
      process.kill(running.pid, 'SIGKILL')
    }
    running.state.onChange(kill)
    kill()
    await vi.waitFor(() => expect(running.state.value.status).toBe('failed'), { timeout: 60_000, interval: 50 })
    expect(running.state.value).toMatchObject({
      restarts: 4,
      error: { code: 'chain-start-failed', advice: expect.stringContaining('Restart the app') },
    })
    expect(killed).toHaveLength(5)
    expect(killed.some(alive)).toBe(false)
  }, 90_000)

  it('neither makes nor loses a coin: balances and fees are the supply', async () => {
    const running = await start()
    const wallet = new W5Wallet(running.chain, key)
    for (let number = 1; number <= 5; number += 1) await wallet.send([payment(bystander(number), toNano(String(number)))])
    await running.close()
    const { balances, fees } = await sums(join(folder.path, 'chain.sqlite'))
    expect(balances + fees).toBe(toNano('1000'))
    expect(fees).toBeGreaterThan(0n)
  })

  it('keeps the newest transactions of an account and drops older ones', async () => {
    const running = await startChain(folder.path, { genesis, historyPerAccount: 10 })
    open.push(running)
    const wallet = new W5Wallet(running.chain, key)
    for (let number = 0; number < 12; number += 1) await wallet.send([payment(bystander(1), 1n)])
    const kept = await running.chain.transactions(rich, 50)
    expect(kept).toHaveLength(10)
    const watching = new AbortController()
    const missed = running.chain.watch(rich, 1n, watching.signal)[Symbol.asyncIterator]().next()
    await expect(missed).rejects.toMatchObject({ code: 'history-pruned' })
    watching.abort()
  })

  it('takes another port when the wanted one is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1')
    const taken = await eventually(() => (squatter.address() as { port: number } | null)?.port)
    const running = await start(taken)
    squatter.close()
    expect(running.port).not.toBe(taken)
    expect((await running.chain.account(rich)).balance).toBe(toNano('1000'))
  })

  it('refuses a file that is damaged, that a newer release wrote, or that is in use, and says so', async () => {
    const file = join(folder.path, 'chain.sqlite')
    writeFileSync(file, Buffer.alloc(20_000, 7))
    await expect(start()).rejects.toMatchObject({
      code: 'chain-damaged',
      message: expect.stringMatching(/chain\.sqlite cannot be read .*\.$/),
      advice: expect.stringContaining('Move the file away'),
    })
    folder.remove()
    folder = newFolder()
    const newer = new DatabaseSync(join(folder.path, 'chain.sqlite'))
    newer.exec('PRAGMA user_version = 99')
    newer.close()
    await expect(start()).rejects.toMatchObject({ code: 'chain-newer' })
    folder.remove()
    folder = newFolder()
    await start()
    await expect(start()).rejects.toMatchObject({ code: 'chain-in-use' })
  })

  it('ends when its parent is killed', async () => {
    const script = `
      const { LocalChain } = await import(${JSON.stringify(new URL('./local-chain.ts', import.meta.url).href)})
      const { silentLogger } = await import(${JSON.stringify(new URL('../base/logger.ts', import.meta.url).href)})
      const chain = await LocalChain.start({
        entry: ${JSON.stringify(chainEntry)}, dataDir: ${JSON.stringify(folder.path)}, genesis: [], logger: silentLogger })
      process.stdout.write(String(chain.pid) + '\\n')
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const printed = await new Promise<string>((resolve) => parent.stdout.once('data', (data: Buffer) => resolve(data.toString())))
    const child = Number(printed)
    expect(alive(child)).toBe(true)
    parent.kill('SIGKILL')
    await eventually(() => (alive(child) ? undefined : true))
  })
})

/** Sums over the file itself, read with the chain stopped. */
async function sums(file: string): Promise<{ balances: bigint; fees: bigint }> {
  const { Cell, loadShardAccount, loadTransaction } = await import('@ton/core')
  const db = new DatabaseSync(file)
  const cell = (value: unknown): InstanceType<typeof Cell> => {
    const found = Cell.fromBoc(Buffer.from(value as Uint8Array))[0]
    if (found === undefined) throw new Error('empty')
    return found
  }
  let balances = 0n
  for (const row of db.prepare('SELECT shard FROM account').all()) {
    balances += loadShardAccount(cell(row.shard).beginParse()).account?.storage.balance.coins ?? 0n
  }
  let fees = 0n
  for (const row of db.prepare('SELECT boc FROM tx').all()) {
    const transaction = loadTransaction(cell(row.boc).beginParse())
    fees += transaction.totalFees.coins
    for (const out of transaction.outMessages.values()) {
      if (out.info.type === 'internal') fees += out.info.forwardFee + out.info.ihrFee
    }
  }
  db.close()
  return { balances, fees }
}
