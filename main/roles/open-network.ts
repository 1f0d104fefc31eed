import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Address } from '@ton/core'
import { z } from 'zod'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { localEndpoint } from '../core/local-endpoint.ts'
import { dataPaths } from '../storage/files.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { pseudoRootConfig } from '../ton/pseudo-root.ts'
import { type RootConfig, watchRoot } from '../ton/root-config.ts'

/** The network that a role works on. */
export interface RoleNetwork {
  /** Names the folder of what the role keeps. */
  readonly name: string
  /** Null until the network contract was read. */
  readonly root: Watchable<RootConfig | null>
  /** Absent in the mode without a blockchain (protocol 60 §10). */
  readonly chain: Chain | undefined
  close(): Promise<void>
}

/** How often the network contract is read; protocol 30 §2 wants 30 to 60 s, a local chain costs nothing. */
const rootIntervalMs = { local: 5_000, testnet: 30_000, mainnet: 30_000 } as const
const mostFileBytes = 4 << 20

const networkFile = z.looseObject({
  pseudoRoot: z.looseObject({}),
  /** The address that every other one is derived from; by default that of the shipped test data (protocol 60 §10). */
  root: z.string().optional(),
})

/**
 * Opens the network of that name, or of that file.
 * @param given `local` for the network of the app that runs on this computer, or a path to a network file
 * @throws Failure `network-unknown`, `network-file-invalid`, `pseudo-root-invalid`, `app-not-running`
 */
export function openNetwork(given: string, options: { readonly dataDir: string; readonly logger: Logger }): RoleNetwork {
  if (given === 'local') return openLocal(options)
  if (!existsSync(given))
    throw new Failure('network-unknown', `There is no network file ${given}, and no network of that name.`, {
      advice: 'Give "local" for the network of the app on this computer, or the path of a network file.',
    })
  const file = readNetworkFile(given)
  const root = pseudoRootConfig(file.pseudoRoot, file.root === undefined ? undefined : parseAddress(given, file.root))
  return {
    name: basename(given).replace(/\.json$/i, ''),
    root: new Signal<RootConfig | null>(root),
    chain: undefined,
    close: async () => undefined,
  }
}

function openLocal({ dataDir, logger }: { readonly dataDir: string; readonly logger: Logger }): RoleNetwork {
  const { endpoint, root } = localEndpoint(dataPaths(dataDir).localEndpoint)
  return onChain('local', httpChain({ kind: 'local', endpoint, logger: logger.room('chain') }), root, logger)
}

function onChain(name: string, chain: Chain, root: Address, logger: Logger): RoleNetwork {
  const watcher = watchRoot(chain, root, { intervalMs: rootIntervalMs[chain.kind], logger: logger.room('root') })
  watcher.start()
  return { name, root: watcher.config, chain, close: () => watcher.stop() }
}

function readNetworkFile(path: string): z.output<typeof networkFile> {
  const refuse = (why: string, cause?: unknown): Failure<'network-file-invalid'> =>
    new Failure('network-file-invalid', `${path} is no network file: ${why}.`, {
      advice: 'See docs/operators.md for its form.',
      cause,
    })
  let json: unknown
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > mostFileBytes) throw refuse('it is too long')
    json = JSON.parse(text)
  } catch (thrown) {
    throw thrown instanceof Failure ? thrown : refuse(asError(thrown).message, thrown)
  }
  const parsed = networkFile.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw refuse(`${issue?.path.join('.') || 'the file'}: ${issue?.message}`, parsed.error)
}

function parseAddress(path: string, text: string): Address {
  try {
    return Address.parse(text)
  } catch (cause) {
    throw new Failure('network-file-invalid', `${path}: root is no TON address.`, { cause })
  }
}
