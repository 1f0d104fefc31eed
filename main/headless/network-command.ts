import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { asError, Failure } from '../base/failure.ts'
import { createLogger } from '../base/logger.ts'
import type { ChildEntries } from '../child-entries.ts'
import {
  deployCommand,
  ownerCommands,
  type SigningContext,
  showCommand,
  testCoinsCommand,
  wishCommand,
} from '../core/network-tool/commands.ts'
import { makeKeyCommand } from '../core/network-tool/make-key.ts'
import type { SecretSource, SignerChoice } from '../core/network-tool/signer.ts'
import { logFile } from '../log-file.ts'
import { defaultDataDir } from '../storage/files.ts'
import { networkHelp } from './network-help.ts'
import { askSecret, confirm, retype } from './terminal.ts'
import { vaultPassword } from './vault-password.ts'
import { showWalletLink, silenceTonConnect } from './wallet-link.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const list = { type: 'string', multiple: true, default: [] as string[] } as const

const options = {
  on: text,
  endpoint: list,
  'data-dir': text,
  config: text,
  out: text,
  proxy: list,
  phrase: flag,
  'phrase-file': text,
  'phrase-env': text,
  'key-file': text,
  'password-file': text,
  'password-env': text,
  'ton-connect': flag,
  manifest: text,
  bridge: text,
  'wallet-link': text,
  'dry-run': flag,
  yes: flag,
  'confirm-owner': text,
  help: flag,
  // Terms and wishes, read by the core.
  name: text,
  owner: text,
  price: text,
  'worker-fee': text,
  multipliers: text,
  'proxy-delay': text,
  'client-delay': text,
  'proxy-stake': text,
  'client-stake': text,
  'is-test': text,
  reserve: text,
  kind: text,
  'key-type': text,
  expires: text,
  'image-hash': text,
  addresses: text,
} as const

type Values = ReturnType<typeof read>['values']

/** `cocoon-desktop network …`. Resolves with the exit code: 0 done, 2 nothing was sent because the operator did not say yes. */
export async function networkCommand(args: readonly string[], entries: ChildEntries): Promise<number> {
  const progress = { sending: false }
  const stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
    console.error(`\nStopped.\nMoney: ${progress.sending ? perhapsSent : 'Nothing was sent.'}`)
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    return await run(args, entries, progress)
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    console.error(`\n${thrown.message}`)
    if (thrown.money !== undefined) console.error(`Money: ${thrown.money}`)
    if (thrown.advice !== undefined) console.error(thrown.advice)
    console.error(`(${thrown.code})`)
    return 1
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

const perhapsSent =
  'A message may have left the wallet. Run the same command again: it looks at the chain first and sends nothing twice.'

/** Whether a message may have left the wallet. */
interface Progress {
  sending: boolean
}

async function run(args: readonly string[], entries: ChildEntries, progress: Progress): Promise<number> {
  const { values, positionals } = read(args)
  const [command, target, ...rest] = positionals
  if (values.help || command === undefined) {
    console.log(networkHelp)
    return 0
  }
  const context = contextOf(values, entries, progress)
  if (command === 'make-key') {
    requireCount(command, positionals.length - 1, 0)
    if (values.out === undefined) throw new Failure('option-missing', 'make-key needs --out <file>.')
    const phrase = phraseOf(values)
    await makeKeyCommand({ out: values.out, phrase, password: passwordOf(values) }, askSecret, context.operator)
    return 0
  }
  if (command === 'deploy') {
    requireCount(command, positionals.length - 1, 0)
    const { config, out, proxy } = values
    const lists = { proxies: proxy, ...(config === undefined ? {} : { config }), ...(out === undefined ? {} : { out }) }
    return (await deployCommand(context, wordsOf(values), lists)) || values['dry-run'] ? 0 : 2
  }
  if (command === 'test-coins') {
    if (target === undefined || rest[0] === undefined)
      throw new Failure('option-missing', 'test-coins needs an address and an amount, as in test-coins UQ… "20 TON".')
    requireCount(command, rest.length, 1)
    return (await testCoinsCommand(context, target, rest[0])) || values['dry-run'] ? 0 : 2
  }
  const names = command === 'show' ? [] : ownerCommands.get(command)
  if (names === undefined) throw new Failure('unknown-command', `There is no such command.\n\n${networkHelp}`)
  if (target === undefined)
    throw new Failure('option-missing', `${command} needs a network file, or the address of a network contract.`)
  requireCount(command, rest.length, names.length)
  if (command === 'show') {
    await showCommand(context, target)
    return 0
  }
  const words = { ...wordsOf(values), ...Object.fromEntries(names.map((name, index) => [name, rest[index]])) }
  return (await wishCommand(context, target, command, words)) || values['dry-run'] ? 0 : 2
}

const place = ['on', 'endpoint', 'data-dir', 'help']
const signing = [
  ...['phrase', 'phrase-file', 'phrase-env', 'key-file', 'password-file', 'password-env', 'ton-connect', 'manifest', 'bridge'],
  ...['wallet-link', 'dry-run', 'yes'],
]
const changeable = ['price', 'worker-fee', 'proxy-delay', 'client-delay', 'proxy-stake', 'client-stake']

/** Options of each command beside place and signing. One that does not belong to a command is a misunderstanding: it is not ignored. */
const own: Readonly<Record<string, readonly string[]>> = {
  deploy: ['config', 'out', 'proxy', 'name', 'owner', 'multipliers', 'is-test', 'reserve', ...changeable],
  'set-price': ['price', 'worker-fee'],
  'set-params': changeable,
  'add-hash': ['kind'],
  'remove-hash': ['kind'],
  'change-owner': ['confirm-owner'],
  'add-public-key': ['key-type', 'expires'],
  'change-key-manager': ['image-hash', 'addresses'],
}

function allowedFor(command: string): readonly string[] {
  if (command === 'show') return place
  if (command === 'test-coins') return ['on', 'data-dir', 'help', 'dry-run', 'yes']
  if (command === 'make-key')
    return ['out', 'data-dir', 'help', 'phrase', 'phrase-file', 'phrase-env', 'password-file', 'password-env']
  return [...place, ...signing, ...(own[command] ?? [])]
}

function read(args: readonly string[]) {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(args)
  } catch (thrown) {
    const { message } = asError(thrown)
    const negative = /^Option '(.*?)[ '].* is ambiguous/s.exec(message)?.[1]
    if (negative !== undefined) throw misused(`${negative} needs a value, and none begins with "-".`)
    throw new Failure('unknown-option', `${message.split('. ')[0]}.`, {
      advice: 'See "cocoon-desktop network --help". Secrets are never given as arguments.',
    })
  }
  const [command] = parsed.positionals
  const given = parsed.tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  const repeated = given.find((name, index) => given.indexOf(name) < index && !repeatable.includes(name))
  if (repeated !== undefined) throw misused(`--${repeated} is given twice.`)
  const known = ['show', 'make-key', 'deploy', 'test-coins'].includes(command ?? '') || ownerCommands.has(command ?? '')
  const foreign = known ? given.find((name) => !allowedFor(command ?? '').includes(name)) : undefined
  if (foreign !== undefined) throw misused(`${command} does not take --${foreign}.`)
  return parsed
}

const repeatable: readonly string[] = ['endpoint', 'proxy']

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], allowPositionals: true, options, tokens: true })
}

function misused(message: string): Failure {
  return new Failure('unknown-option', message, { advice: 'See "cocoon-desktop network --help".', money: 'Nothing was sent.' })
}

/** What is too much is not repeated: it may be the words of a phrase. */
function requireCount(command: string, given: number, wanted: number): void {
  if (given === wanted) return
  throw new Failure('option-missing', `${command} takes ${wanted} ${wanted === 1 ? 'word' : 'words'} here, not ${given}.`, {
    advice: 'Put a value with spaces into quotes. See "cocoon-desktop network --help".',
  })
}

function contextOf(values: Values, entries: ChildEntries, progress: Progress): SigningContext {
  const on = values.on
  if (on !== undefined && on !== 'local' && on !== 'testnet' && on !== 'mainnet')
    throw new Failure('option-missing', '--on is local, testnet or mainnet.')
  const dataDir = values['data-dir'] ?? defaultDataDir()
  return {
    on,
    endpoints: values.endpoint,
    dataDir,
    vaultPassword: vaultPassword(),
    entries,
    logger: createLogger(logFile(join(dataDir, 'logs', 'network.log'))),
    signer: signerOf(values),
    ask: askSecret,
    showLink: showWalletLink,
    dryRun: values['dry-run'],
    operator: {
      print: (line) => console.log(line),
      confirm: async (question) => values.yes || confirm(question),
      retype: async (question, expected) => (values.yes ? values['confirm-owner'] === expected : retype(question, expected)),
      sending: () => {
        const launcher = process.env.COCOON_LAUNCHER_PID
        if (launcher !== undefined && launcher !== String(process.ppid))
          throw new Failure('stopped', 'The program that started this command is gone.', { money: 'Nothing was sent.' })
        progress.sending = true
      },
    },
  }
}

function signerOf(values: Values): SignerChoice {
  const phrase = phraseOf(values)
  const keyFile = values['key-file']
  const tonConnect = values['ton-connect']
  if ([phrase !== undefined, keyFile !== undefined, tonConnect].filter(Boolean).length > 1)
    throw new Failure('signer-unclear', 'Give one of a phrase, a key file and TON Connect, not more.')
  if (tonConnect) return tonConnectOf(values)
  if (keyFile !== undefined) return { kind: 'key-file', path: keyFile, password: passwordOf(values) }
  return phrase === undefined ? { kind: 'local-owner' } : { kind: 'phrase', from: phrase }
}

/** Tonkeeper's, which other wallets use too. */
const usualBridge = { bridgeUrl: 'https://bridge.tonapi.io/bridge', universalLink: 'https://app.tonkeeper.com/ton-connect' }

function tonConnectOf({ manifest, bridge, 'wallet-link': walletLink }: Values): SignerChoice {
  if (manifest === undefined)
    throw new Failure('option-missing', 'TON Connect needs --manifest <address>: the wallet reads there who asks.', {
      advice:
        'Put a tonconnect-manifest.json with url, name and iconUrl on a web server that the wallet reaches; see docs/operators.md.',
    })
  silenceTonConnect()
  return {
    kind: 'ton-connect',
    manifestUrl: manifest,
    bridgeUrl: bridge ?? usualBridge.bridgeUrl,
    universalLink: walletLink ?? usualBridge.universalLink,
  }
}

function phraseOf(values: Values): SecretSource | undefined {
  const source = sourceOf('phrase', values['phrase-file'], values['phrase-env'])
  if (source !== undefined && values.phrase) throw misused('Give one source of the phrase, not more.')
  return source ?? (values.phrase ? { kind: 'ask' } : undefined)
}

function passwordOf(values: Values): SecretSource {
  return sourceOf('password', values['password-file'], values['password-env']) ?? { kind: 'ask' }
}

function sourceOf(what: string, path: string | undefined, name: string | undefined): SecretSource | undefined {
  if (path !== undefined && name !== undefined) throw misused(`Give one source of the ${what}, not more.`)
  if (path !== undefined) return { kind: 'file', path }
  return name === undefined ? undefined : { kind: 'env', name }
}

function wordsOf(values: Values): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
