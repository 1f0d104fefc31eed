import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Address, beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { childEntries } from '../child-entries.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../localnet/testing.ts'
import { httpChain } from '../ton/http-chain.ts'
import { type RootConfig, readRoot } from '../ton/root-config.ts'
import { keyPairOfPhrase, newPhrase } from '../wallet/phrase.ts'
import { openBridge } from '../wallet/testing/bridge.ts'
import { PhoneWallet } from '../wallet/testing/phone-wallet.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { networkCommand } from './network-command.ts'

/*
 * The command line as a process of its own, against the real embedded chain: as "local" with the data folder of the app, and as "testnet"
 * through the chain's HTTP endpoint, where no faucet helps.
 */

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cocoon-network-command-'))
const chainFolder = newFolder()
const stranger = testKey(8)
let phrase: string
let owner: Address
let local: LocalChain

interface Run {
  readonly code: number | null
  readonly out: string
}

function start(args: readonly string[], env: Record<string, string> = {}): { child: ChildProcess; done: Promise<Run> } {
  const child = spawn(process.execPath, [cli, 'network', ...args], { cwd: folder, env: { ...process.env, ...env } })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  return { child, done: new Promise((resolve) => child.once('exit', (code) => resolve({ code, out }))) }
}

/** With `input`, in a process of its own that reads it; else in this one, which is quicker. */
async function run(args: readonly string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<Run> {
  const result = options.input === undefined ? await runHere(args, options.env) : await runApart(args, options.input, options.env)
  // Single words of a phrase are ordinary words; two in a row are a leak.
  const words = phrase.split(' ')
  for (const [index, word] of words.slice(1).entries()) expect(result.out).not.toContain(`${words[index]} ${word}`)
  expect(result.out).not.toContain('correct horse')
  return result
}

async function runApart(args: readonly string[], input: string, env: Record<string, string> = {}): Promise<Run> {
  const { child, done } = start(args, env)
  child.stdin?.end(input)
  return done
}

async function runHere(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  let out = ''
  const keep = (line: unknown): void => {
    out += `${String(line)}\n`
  }
  const spies = [vi.spyOn(console, 'log').mockImplementation(keep), vi.spyOn(console, 'error').mockImplementation(keep)]
  Object.assign(process.env, env)
  try {
    return { code: await networkCommand(args, childEntries(new URL('./cli.ts', import.meta.url).href)), out }
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
    for (const spy of spies) spy.mockRestore()
  }
}

const real = [
  '--price',
  '20 nano',
  '--worker-fee',
  '15 nano',
  '--proxy-delay',
  '1 d',
  '--client-delay',
  '1 h',
  '--is-test',
  'yes',
]
const stakes = ['--proxy-stake', '1 TON', '--client-stake', '15 TON']
const byPhrase = { COCOON_TEST_PHRASE: '' }
const signing = ['--phrase-env', 'COCOON_TEST_PHRASE']
const deploy = (name: string, ...more: string[]): string[] => [
  'deploy',
  '--on',
  'testnet',
  '--name',
  name,
  ...real,
  ...stakes,
  ...signing,
  ...more,
]
const at = (endpoint: string): string[] => ['--endpoint', endpoint]
const rootIn = (file: string): Address =>
  Address.parse((JSON.parse(readFileSync(join(folder, file), 'utf8')) as { root: string }).root)
const read = (file: string): Promise<RootConfig> => readRoot(local.chain, rootIn(file))

beforeAll(async () => {
  process.chdir(folder)
  phrase = (await newPhrase()).join(' ')
  byPhrase.COCOON_TEST_PHRASE = phrase
  owner = w5Address((await keyPairOfPhrase(phrase.split(' '))).publicKey, 'testnet')
  local = await startChain(chainFolder.path, {
    genesis: [
      { address: owner, balance: toNano('20') },
      { address: w5Address(stranger.publicKey, 'testnet'), balance: toNano('5') },
    ],
  })
})
afterAll(async () => {
  await local.close()
  chainFolder.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('network deploy', () => {
  it('shows all of it and sends nothing before a yes; then deploys, reads back, and writes the file', async () => {
    const args = deploy('First', '--out', 'first.json', '--proxy', '10.0.0.1:5001 10.0.0.1:5002', ...at(local.endpoint))
    const dry = await run([...args, '--dry-run'], { env: byPhrase })
    expect(dry.code).toBe(0)
    expect(dry.out).toMatch(/Price +20 nano/)
    expect(dry.out).toMatch(/value 1 TON: 0\.\d+ TON stay there, 0\.\d+ TON fees/)
    expect(dry.out).toMatch(/estimate/)
    const no = await run(args, { env: byPhrase, input: 'y\n' })
    expect(no).toMatchObject({ code: 2, out: expect.stringContaining('Nothing was sent.') })
    const end = await run(args, { env: byPhrase, input: '' })
    expect(end.code).toBe(2)
    expect((await local.chain.account(owner)).last).toBeNull()
    expect(existsSync(join(folder, 'first.json'))).toBe(false)

    const yes = await run(args, { env: byPhrase, input: 'yes\n' })
    expect(yes.out).toMatch(/On chain as planned/)
    expect(yes.code).toBe(0)
    const root = await read('first.json')
    expect(root).toMatchObject({
      version: 0,
      proxies: [{ seqno: 1, forWorkers: { host: '10.0.0.1', port: 5001 } }],
      params: { pricePerToken: 20n, workerFeePerToken: 15n, minClientStake: toNano('15'), isTest: true },
    })
    expect(root.owner.equals(owner)).toBe(true)
    expect(dry.out).toContain(root.address.toString({ testOnly: true }))

    const again = await run([...args, '--yes'], { env: byPhrase })
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('nothing is left to send') })
    const other = await run(deploy('Other', '--out', 'first.json', '--yes', ...at(local.endpoint)), { env: byPhrase })
    expect(other).toMatchObject({ code: 1, out: expect.stringContaining('(out-taken)') })
  })

  it.each(['before', 'after'] as const)(
    'goes on when it was killed %s the chain took its message, and sends nothing twice',
    async (moment) => {
      const file = `killed-${moment}.json`
      const seqno = async (): Promise<number> => (await local.chain.runGetter(owner, 'seqno')).readNumber()
      const before = await seqno()
      let victim: ChildProcess | undefined
      const gate = await openGate(local.endpoint, moment, () => victim?.kill('SIGKILL'))
      const args = deploy(`Killed ${moment}`, '--out', file, '--yes')
      const killed = start([...args, ...at(gate.endpoint)], byPhrase)
      victim = killed.child
      expect((await killed.done).code).toBeNull()
      gate.server.close()
      expect(existsSync(join(folder, file))).toBe(false)
      expect(await seqno()).toBe(moment === 'after' ? before + 1 : before)

      const again = await run([...args, ...at(local.endpoint)], { env: byPhrase })
      expect(again.code).toBe(0)
      expect(await seqno()).toBe(before + 1)
      expect((await local.chain.transactions((await read(file)).address, 10)).length).toBe(1)
    },
  )

  it.each(['SIGINT', 'SIGTERM'] as const)('that is stopped by %s says what became of the money', async (signal) => {
    const stopped = start(deploy('Stopped', ...at(local.endpoint)), byPhrase)
    stopped.child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.includes('Type yes to send')) stopped.child.kill(signal)
    })
    const before = await stopped.done
    expect(before).toMatchObject({
      code: signal === 'SIGINT' ? 130 : 143,
      out: expect.stringContaining('Money: Nothing was sent.'),
    })

    let victim: ChildProcess | undefined
    const gate = await openGate(local.endpoint, 'before', () => victim?.kill(signal))
    const sending = start(deploy(`Stopped by ${signal}`, '--yes', ...at(gate.endpoint)), byPhrase)
    victim = sending.child
    const { out } = await sending.done
    gate.server.closeAllConnections()
    gate.server.close()
    expect(out).toMatch(/Money: A message may have left the wallet\./)
    expect(out).not.toMatch(/Money: Nothing was sent/)
  })

  it('sends nothing any more when the program that started it is gone', async () => {
    const before = (await local.chain.account(owner)).last?.lt
    const env = { ...byPhrase, COCOON_LAUNCHER_PID: '1' }
    const orphan = await start(deploy('Orphan', '--yes', ...at(local.endpoint)), env).done
    expect(orphan).toMatchObject({
      code: 1,
      out: expect.stringMatching(/is gone\.\nMoney: Nothing was sent\.[\s\S]*\(stopped\)/),
    })
    expect((await local.chain.account(owner)).last?.lt).toBe(before)
  })

  it('says what a wallet lacks, and that nothing was sent', async () => {
    const poor = await run(deploy('Rich', '--reserve', '500 TON', '--yes', ...at(local.endpoint)), { env: byPhrase })
    expect(poor.code).toBe(1)
    expect(poor.out).toMatch(/lacks about 48\d\.\d+ TON/)
    expect(poor.out).toMatch(/Money: Nothing was sent\./)
    expect(poor.out).toMatch(/\(balance-too-low\)/)
    expect(existsSync(join(folder, 'rich.network.json'))).toBe(false)
  })

  it('names every fault of a description, and needs no wallet for that', async () => {
    writeFileSync(join(folder, 'deploy.json'), JSON.stringify({ name: 'X', price: '20', workerFee: '1 nano', prize: 1 }))
    const faulty = await run(['deploy', '--on', 'mainnet', '--config', 'deploy.json'])
    expect(faulty.code).toBe(1)
    expect(faulty.out).toMatch(/price: write an amount with its unit/)
    expect(faulty.out).toMatch(/file-malformed/)
  })
})

describe('the owner', () => {
  it('changes the network; the file tells where it is', async () => {
    const price = await run(['set-price', 'first.json', '--price', '9 nano', '--worker-fee', '8 nano', ...signing], {
      env: byPhrase,
      input: 'yes\n',
    })
    // The file carries the endpoint that was used for the deployment.
    expect(price.out).toMatch(/before +20 nano .*\n +after +9 nano/)
    expect(price.code).toBe(0)
    const model = 'org/model-Q4@0123:4567'
    const hash = await run(['add-hash', 'first.json', model, '--kind', 'model', '--yes', ...signing], { env: byPhrase })
    expect(hash.code).toBe(0)
    const proxy = await run(['register-proxy', 'first.json', '10.0.0.2:1 10.0.0.2:2', '--yes', ...signing], { env: byPhrase })
    expect(proxy.code).toBe(0)
    const root = await read('first.json')
    expect(root).toMatchObject({ version: 3, params: { pricePerToken: 9n }, proxies: [{ seqno: 1 }, { seqno: 2 }] })
    expect(root.modelHashes.size).toBe(1)
    const shown = await run(['show', 'first.json'])
    expect(shown.out).toMatch(/Proxy 2 +10\.0\.0\.2:1 for workers, 10\.0\.0\.2:2 for clients/)
    expect(shown.out).toContain(local.endpoint)
    const byAddress = await run(['show', root.address.toString(), '--on', 'testnet', ...at(local.endpoint)])
    expect(byAddress.out).toMatch(/Price +9 nano/)
  })

  it('alone changes it: another wallet is told so before anything is sent', async () => {
    const key = join(folder, 'stranger.key')
    const env = { COCOON_TEST_PASSWORD: 'correct horse battery' }
    await run(['make-key', '--out', key, '--password-env', 'COCOON_TEST_PASSWORD'], { env })
    const before = await read('first.json')
    const args = ['set-price', 'first.json', '--price', '3 nano', '--worker-fee', '2 nano', '--yes']
    const wrong = await run([...args, '--key-file', key, '--password-env', 'COCOON_TEST_PASSWORD'], { env })
    expect(wrong.code).toBe(1)
    expect(wrong.out).toMatch(/The network belongs to .*\nMoney: Nothing was sent\.\n.*\n\(not-owner\)/)
    expect((await read('first.json')).version).toBe(before.version)
  })

  it('is asked twice before the network goes to somebody else', async () => {
    const next = new Address(0, Buffer.alloc(32, 9)).toString({ testOnly: true })
    const args = ['change-owner', 'first.json', next, ...signing]
    const once = await run(args, { env: byPhrase, input: 'yes\nyes\n' })
    expect(once).toMatchObject({ code: 2, out: expect.stringContaining('cannot be taken back') })
    const script = await run([...args, '--yes'], { env: byPhrase })
    expect(script.code).toBe(2)
    expect((await read('first.json')).owner.equals(owner)).toBe(true)
    const twice = await run(args, { env: byPhrase, input: `yes\n${next}\n` })
    expect(twice.code).toBe(0)
    expect((await read('first.json')).owner.toString({ testOnly: true })).toBe(next)
    const late = await run(['set-price', 'first.json', '--price', '3 nano', '--worker-fee', '2 nano', '--yes', ...signing], {
      env: byPhrase,
    })
    expect(late.out).toMatch(/not-owner/)
  })
})

describe('options', () => {
  it.each([
    [['show', 'first.json', '--yes'], 'show does not take --yes'],
    [['set-price', 'first.json', '--price', '1 nano', '--worker-fee', '1 nano', '--client-stake', '2 TON'], '--client-stake'],
    [['register-proxy', 'first.json', '1.2.3.4:5', '--kind', 'proxy'], 'register-proxy does not take --kind'],
    [['make-key', '--out', 'x.key', '--key-file', 'y.key'], 'make-key does not take --key-file'],
    [['set-price', 'first.json', '--price', '1 nano', '--price', '2 nano', '--worker-fee', '1 nano'], '--price is given twice'],
    [['set-price', 'first.json', '--price', '-5 nano'], '--price needs a value, and none begins with "-"'],
    [['make-key', '--out', 'x.key', '--phrase-file', 'p', '--phrase-env', 'P'], 'one source of the phrase'],
    [['make-key', '--out', 'x.key', '--password-file', 'p', '--password-env', 'P'], 'one source of the password'],
  ])('that a command would ignore are refused: %j', async (args, words) => {
    expect(await run(args)).toMatchObject({ code: 1, out: expect.stringContaining(words) })
  })
})

describe('secrets', () => {
  it('are not taken from arguments, and words that were given so are not repeated', async () => {
    const given = await run(['set-price', 'first.json', ...phrase.split(' '), '--phrase'])
    expect(given.code).toBe(1)
    const unknown = await run(['deploy', '--on', 'local', '--password', 'correct horse'])
    expect(unknown).toMatchObject({ code: 1, out: expect.stringContaining('(unknown-option)') })
    const command = await run(phrase.split(' '))
    expect(command.out).toContain('(unknown-command)')
  })

  it('are read from a file only when nobody else can read it', async () => {
    const path = join(folder, 'phrase.txt')
    writeFileSync(path, `${phrase}\n`)
    chmodSync(path, 0o644)
    const args = ['set-price', 'first.json', '--price', '3 nano', '--worker-fee', '2 nano', '--dry-run', '--phrase-file', path]
    const open = await run(args)
    expect(open).toMatchObject({ code: 1, out: expect.stringContaining('(secret-file-open)') })
    chmodSync(path, 0o600)
    // It opens the wallet, which is the owner's no more.
    expect((await run(args)).out).toContain('(not-owner)')
  })

  it('lie in a key file under a password', async () => {
    const key = join(folder, 'owner.key')
    const env = { ...byPhrase, COCOON_TEST_PASSWORD: 'correct horse battery' }
    const make = ['make-key', '--out', key, ...signing, '--password-env', 'COCOON_TEST_PASSWORD']
    expect((await run(make, { env })).out).toContain(owner.toString({ bounceable: false, testOnly: true }))
    expect(statSync(key).mode & 0o777).toBe(0o600)
    expect((await run(make, { env })).out).toContain('(key-file-exists)')
    const show = ['deploy', '--on', 'testnet', '--name', 'Keyed', ...real, ...stakes, '--dry-run', ...at(local.endpoint)]
    const signed = await run([...show, '--key-file', key, '--password-env', 'COCOON_TEST_PASSWORD'], { env })
    expect(signed.out).toContain(owner.toString({ testOnly: true }))
    const wrong = await run([...show, '--key-file', key, '--password-env', 'COCOON_TEST_PASSWORD'], {
      env: { COCOON_TEST_PASSWORD: 'another password' },
    })
    expect(wrong.out).toContain('(key-file-wrong-password)')
    const nobody = await run([...show, '--key-file', key])
    expect(nobody.out).toContain('(no-terminal)')
    writeFileSync(key, readFileSync(key, 'utf8').replace(/"sealed": "..../, '"sealed": "AQAA'))
    expect((await run([...show, '--key-file', key, '--password-env', 'COCOON_TEST_PASSWORD'], { env })).out).toContain(
      '(key-file-malformed)',
    )
  })
})

describe('a wallet of another program', () => {
  it('signs by TON Connect: the link is shown, the wallet approves, and the chain is read back', async () => {
    const key = testKey(12)
    const chain = httpChain({ kind: 'testnet', endpoint: local.endpoint })
    const phone = new PhoneWallet(chain, key)
    const bridge = await openBridge()
    await new W5Wallet(chain, stranger).send([
      { to: phone.address, value: toNano('3'), body: beginCell().endCell(), bounce: false },
    ])
    const args = ['deploy', '--on', 'testnet', '--name', 'By phone', ...real, ...stakes, '--out', 'phone.json', '--yes']
    const connect = ['--ton-connect', '--manifest', 'https://example.org/tonconnect-manifest.json', '--bridge', bridge.url]
    const { child, done } = start([...args, ...connect, ...at(local.endpoint)])
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const link = /^https:\/\/app\.tonkeeper\.com\/ton-connect\S+$/m.exec(text)?.[0]
      if (link === undefined) return
      text = ''
      void phone.scan(link, bridge.url)
    })
    const { code, out } = await done
    phone.close()
    await bridge.close()
    expect(out).toContain('█▀▀▀▀▀█')
    expect(out).toContain('your wallet in PhoneWallet')
    expect(out).not.toContain('TON_CONNECT_SDK')
    expect(code, out).toBe(0)
    expect((await read('phone.json')).owner.equals(phone.address)).toBe(true)
  })

  it('is not asked for the local chain, nor without a manifest', async () => {
    const args = ['deploy', '--name', 'X', '--ton-connect', '--on']
    const bare = await run([...args, 'testnet', ...real, ...stakes])
    expect(bare).toMatchObject({ code: 1, out: expect.stringContaining('--manifest') })
    const home = await run([...args, 'local', '--manifest', 'https://example.org/m.json', '--data-dir', join(folder, 'data')])
    expect(home).toMatchObject({ code: 1, out: expect.stringContaining('(signer-missing)') })
  })
})

describe('on the local chain', () => {
  it('a new wallet gets test coins from the faucet, and the chain lives in the data folder of the app', async () => {
    const args = ['deploy', '--on', 'local', '--name', 'Home', '--data-dir', join(folder, 'data'), '--yes', ...signing]
    const first = await run(args, { env: byPhrase })
    expect(first.out).toMatch(/1\. Test coins for your wallet[\s\S]*2\. Deploy the network contract/)
    expect(first.code).toBe(0)
    const again = await run(args, { env: byPhrase })
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('nothing is left to send') })
    const shown = await run(['show', 'home.network.json', '--data-dir', join(folder, 'data')])
    expect(shown.out).toMatch(/Price +200000 nano/)
  })
})

/** An endpoint that lets everything through to `target`, and calls `kill` when it was given a message: before or after the chain took it. */
async function openGate(
  target: string,
  moment: 'before' | 'after',
  kill: () => void,
): Promise<{ endpoint: string; server: Server }> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', async () => {
      const body = Buffer.concat(parts)
      const sends = body.includes('"sendBoc"')
      if (sends && moment === 'before') return kill()
      const answer = await fetch(target, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
      const text = await answer.text()
      if (sends) return kill()
      response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server }
}
