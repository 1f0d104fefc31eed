import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beginCell, toNano } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { cocoonWalletInit } from '../../contracts/cocoon-wallet.ts'
import { linkProtocols, pageKeyInHash } from '../../preload/api/link.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { openToolChain } from '../core/network-tool/tool-chain.ts'
import { localParams } from '../localnet/genesis.ts'
import { type InstantEngine, instantEngine } from '../roles/testing/instant-engine.ts'
import { freePorts, RoleProcess } from '../roles/testing/role-process.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-listed-'))
const file = join(dataDir, 'ours.json')
const entries = childEntries(import.meta.url)
const pricePerToken = 333_333n
const seeds = { proxy: 11, machine: 12, worker: 13 } as const
const seed = (name: keyof typeof seeds): Buffer => Buffer.alloc(32, seeds[name])
const running: RoleProcess[] = []
let engine: InstantEngine

function start(...args: string[]): RoleProcess {
  const process_ = new RoleProcess(args)
  running.push(process_)
  return process_
}

interface Message {
  readonly t: string
  readonly n: number
  readonly output?: unknown
  readonly event?: unknown
  readonly error?: { readonly message: string }
}

/** The page's link, opened by the one-time link that the terminal shows. */
async function openPage(link: string) {
  const { origin } = new URL(link)
  const { headers } = await fetch(link, { redirect: 'manual' })
  const cookie = headers.get('set-cookie')?.split(';')[0] ?? ''
  const pageKey = pageKeyInHash(new URL(headers.get('location') ?? '', origin).hash)
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api`, linkProtocols(pageKey), { headers: { cookie }, origin })
  const listeners = new Map<number, (message: Message) => void>()
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Message
    listeners.get(message.n)?.(message)
  })
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
  let last = 0
  return {
    close: () => socket.close(),
    call: <T>(name: string, input: object): Promise<T> =>
      new Promise((resolve, reject) => {
        const n = ++last
        listeners.set(n, ({ t, output, error }) => (t === 'result' ? resolve(output as T) : reject(new Error(error?.message))))
        socket.send(JSON.stringify({ t: 'call', n, name, input }))
      }),
    /** The first value of a stream for which `holds`. */
    until: <T>(name: string, input: object, holds: (value: T) => boolean): Promise<T> =>
      new Promise((resolve, reject) => {
        const n = ++last
        listeners.set(n, ({ t, event, error }) => {
          if (t !== 'event') return reject(new Error(error?.message ?? t))
          if (!holds(event as T)) return
          socket.send(JSON.stringify({ t: 'unsubscribe', n }))
          resolve(event as T)
        })
        socket.send(JSON.stringify({ t: 'subscribe', n, name, input }))
      }),
  }
}

beforeAll(async () => {
  // The app gets no model of its own: whatever it is answered, another process answered.
  Object.assign(process.env, {
    PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
    PIP_EXTRA_INDEX_URL: '',
    PIP_CONFIG_FILE: '/dev/null',
  })
  engine = await instantEngine()
  const [workers = 0, clients = 0] = await freePorts(2)
  const tool = await openToolChain({ on: 'local', dataDir, entries, logger: silentLogger })
  const owner = new W5Wallet(tool.chain, tool.faucet ?? expect.unreachable('no faucet'))
  try {
    const params = { ...localParams, uniqueId: 9, pricePerToken }
    const { address, order } = deployRoot({ owner: owner.address, params })
    await carryOut(tool.chain, owner, [order])
    const host = '127.0.0.1'
    const endpoints = { forWorkers: { host, port: workers }, forClients: { host, port: clients } }
    const listing = orderToRoot(await readRoot(tool.chain, address), { op: 'registerProxy', endpoints }, 'List the proxy')
    await carryOut(tool.chain, owner, [listing])
    const gift = (name: 'proxy' | 'worker') => ({
      to: cocoonWalletInit(new Uint8Array(keyPairFromSeed(seed(name)).publicKey), owner.address).address,
      ...{ value: toNano('200'), body: beginCell().endCell(), mode: 1, bounce: false },
    })
    await owner.send([gift('proxy'), gift('worker')])
    const network = { format: 'cocoon-network', version: 1, name: 'Ours', kind: 'local', chain: { kind: 'local' } }
    writeFileSync(file, JSON.stringify({ ...network, root: address.toString(), createdAt: '2026-11-22T06:00:00.000Z' }))

    const secret = (name: keyof typeof seeds): string => seed(name).toString('base64')
    const keys = join(dataDir, 'role-keys')
    mkdirSync(keys)
    const common = (role: 'proxy' | 'worker', more: object): string[] => {
      const path = join(keys, `${role}.json`)
      writeFileSync(
        path,
        JSON.stringify({ version: 1, accessHash: 'access-hash-of-the-test', walletKey: secret(role), ...more }),
        {
          mode: 0o600,
        },
      )
      return [role, '--network', file, '--data-dir', dataDir, '--owner', owner.address.toString(), '--keys', path]
    }
    const asProxy = common('proxy', { machineKey: secret('machine') })
    const asWorker = common('worker', {})
    roles = {
      proxy: [...asProxy, ...`--workers-port ${workers} --clients-port ${clients} --host 127.0.0.1 --pow 6`.split(' ')],
      worker: [...asWorker, '--engine', engine.url, '--model', 'test/model@commit:hash', '--seal'],
      clientsAt: `127.0.0.1:${clients}`,
    }
  } finally {
    owner.close()
    await tool.close()
  }
})
let roles: { readonly proxy: string[]; readonly worker: string[]; readonly clientsAt: string }

afterAll(async () => {
  await Promise.all(running.map((one) => one.kill()))
  await engine.close()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('serve --listed-proxies', () => {
  it('runs no proxy: the chat is answered over the Open network by proxy and worker of the command line, sealed and paid for', async () => {
    const app = start('serve', '--network', file, '--listed-proxies', '--data-dir', dataDir, '--port', '0')
    await app.says('Open Cocoon:')
    await app.says('Not part of this app')
    const page = await openPage(/http:\S+\/open\?token=\S+/.exec(app.output)?.[0] ?? '')
    const proxy = start(...roles.proxy)
    // A worker that takes no part in sealing: nothing says then that the worker's owner alone could read.
    const plain = start(...roles.worker.filter((one) => one !== '--seal'))
    await proxy.says('Running.')
    await plain.says('Running.')
    await app.says('✓ Client')

    type Row = { id: string; result: string }
    type Levels = readonly { level: string; state: string; model?: string; seal?: { report?: { rows: Row[] } } }[]
    const openWhen = async (sealed: string): Promise<Levels[number] | undefined> => {
      const isOpen = ({ level, state, seal }: Levels[number]): boolean =>
        level === 'open' &&
        state === 'ready' &&
        (seal?.report?.rows ?? []).some(({ id, result }) => id === 'sealed' && result === sealed)
      return (await page.until<Levels>('chat.levels', {}, (all) => all.some(isOpen))).find(isOpen)
    }
    type Event = { type: string; turn?: Turn; conversation?: { turns: Turn[] } }
    type Turn = { id: string; status: string; answer: string; usage?: { cost?: string; adjustedTokens?: number } }
    const ask = async (id: string, text: string): Promise<Turn | undefined> => {
      const { id: turnId } = await page.call<{ id: string }>('chat.send', { id, text })
      const turnOf = ({ turn, conversation }: Event): Turn | undefined =>
        [turn, ...(conversation?.turns ?? [])].find((one) => one?.id === turnId)
      const hasEnded = (event: Event): boolean => ['done', 'failed', 'stopped'].includes(turnOf(event)?.status ?? '')
      return turnOf(await page.until<Event>('chat.conversation', { id }, hasEnded))
    }
    const chat = (understood: string): Promise<{ id: string }> => page.call('chat.create', { level: 'open', understood })

    expect(await openWhen('not-checked')).toMatchObject({ model: 'test/model' })
    const { id } = await chat('worker')
    await expect(ask(id, 'Who reads this on the way?')).rejects.toThrow('the proxy’s owner could read it too')
    expect(engine.asked).toEqual([])
    const agreed = await chat('proxy-too')
    expect(await ask(agreed.id, 'Who reads this on the way?')).toMatchObject({
      status: 'done',
      seal: { scheme: 'none', reason: 'no-keys' },
    })

    plain.signal('SIGTERM')
    await plain.exit()
    const worker = start(...roles.worker)
    await worker.says('Running.')
    // The sheet learns of the key by itself.
    await openWhen('passed')
    const turn = await ask(id, 'Who answers here?')
    expect(turn).toMatchObject({
      status: 'done',
      level: 'open',
      answer: 'Good day',
      model: 'test/model',
      seal: { scheme: 'direct' },
    })
    expect(turn?.usage?.cost).toBe(String(BigInt(turn?.usage?.adjustedTokens ?? 0) * pricePerToken))
    expect(engine.asked.join()).toContain('Who answers here?')
    // Who carried it, as the page's Network screen shows it.
    const { proxies } = await page.until<{ proxies: { state: string; clientPort: string }[] }>('network.state', {}, () => true)
    expect(proxies).toMatchObject([{ state: 'connected', clientPort: roles.clientsAt }])
    expect(proxy.output).toContain(roles.clientsAt)
    page.close()
    app.signal('SIGTERM')
    expect(await app.exit()).toBe(0)
  })
})
