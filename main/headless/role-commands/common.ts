import { createLogger, type Logger } from '../../base/logger.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { parsePccsUrl } from '../../protocol/attestation/collateral-service.ts'
import { intelRoots } from '../../protocol/attestation/intel-chain.ts'
import { type PolicyName, policyNames } from '../../roles/attesting.ts'
import { openNetwork } from '../../roles/open-network.ts'
import { parseOwner, type RoleOptions } from '../../roles/role-options.ts'
import { defaultDataDir } from '../../storage/files.ts'
import { oneOf, required, wholeNumber } from './arguments.ts'

/** Options of every role, for `parseArgs`. */
export const commonOptions = {
  network: { type: 'string' },
  'data-dir': { type: 'string' },
  keys: { type: 'string' },
  owner: { type: 'string' },
  pccs: { type: 'string' },
  drain: { type: 'string', default: '30' },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

export const commonHelp = `
    --network <name or file>  "local" (the network of the app on this computer), or a network file.
    --owner <address>         May take back what the role's wallet holds, and receives what it earns.
    --data-dir <path>         Where keys and book of the role are kept.
    --keys <file>             Another key file (mode 0600; made when it is missing).
    --pccs <url>              Where collateral for the policy tdx is asked for (default: Intel's own service).
    --drain <seconds>         How long running requests may take to end after the first signal (default 30).
    --verbose                 Logs more.`

export interface CommonValues {
  readonly network?: string | undefined
  readonly 'data-dir'?: string | undefined
  readonly keys?: string | undefined
  readonly owner?: string | undefined
  readonly pccs?: string | undefined
  readonly drain: string
  readonly verbose: boolean
}

/** What every role's command line says, checked; the network is opened when the role starts. */
export interface CommonArguments {
  readonly logger: Logger
  readonly drainMs: number
  /** @throws Failure of `openNetwork` */
  roleOptions(signal: AbortSignal): RoleOptions
}

/**
 * Lines of the log go to standard error, so that a supervisor keeps them apart from what the role says of itself.
 * @throws UsageError; Failure `address-invalid`, `pccs-invalid`
 */
export function readCommon(name: string, values: CommonValues, entries: ChildEntries): CommonArguments {
  const logger = createLogger((line) => process.stderr.write(`${line}\n`), values.verbose ? 'debug' : 'info', name)
  const dataDir = values['data-dir'] ?? defaultDataDir()
  const network = required('network', values.network)
  const shared = {
    dataDir,
    ...(values.keys === undefined ? {} : { keyFile: values.keys }),
    ...(values.owner === undefined ? {} : { owner: parseOwner(values.owner) }),
    ...(values.pccs === undefined ? {} : { pccs: parsePccsUrl(values.pccs) }),
    entries,
    roots: intelRoots,
    logger,
  }
  return {
    logger,
    drainMs: wholeNumber('drain', values.drain, 0, 3600) * 1000,
    roleOptions: (signal) => ({ ...shared, network: openNetwork(network, { dataDir, logger }), signal }),
  }
}

/** Names that newer revisions give to the same policies (protocol 95 §6). */
const newerNames: ReadonlyMap<string, PolicyName> = new Map([
  ['tee', 'tdx'],
  ['fake_tee', 'fake_tdx'],
])

/** @throws UsageError */
export const policyOf = (name: string, text: string): PolicyName => newerNames.get(text) ?? oneOf(name, text, policyNames)
