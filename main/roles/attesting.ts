import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { queryGpuConfidential } from '../hardware/gpu-confidential.ts'
import { detectTee } from '../hardware/tee.ts'
import { type TsmFiles, tsmReport } from '../hardware/tsm-report.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import type { IdentityOptions } from '../protocol/attestation/certificate.ts'
import { CollateralCache } from '../protocol/attestation/collateral-cache.ts'
import { CollateralService, intelServiceUrl } from '../protocol/attestation/collateral-service.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import type { TrustedRoots } from '../protocol/attestation/intel-chain.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { readQuote } from '../protocol/attestation/quote.ts'
import { type QuoteJudge, QuoteVerifier } from '../protocol/attestation/quote-verifier.ts'
import type { GpuClaim, SealingIdentity } from '../protocol/sealed/direct/worker-key.ts'

export type PolicyName = Policy['kind']
export const policyNames: readonly PolicyName[] = ['any', 'fake_tdx', 'tdx']

/** What a role needs to judge real quotes. */
export interface AttestingOptions {
  /** Collateral is kept below it: `attestation/collateral`. */
  readonly dataDir: string
  /** Base address of a collateral service, as `parsePccsUrl` gives it; Intel's, unless given. */
  readonly pccs?: string
  /** Root keys that quotes have to hold up to: `intelRoots` in all that ships. */
  readonly roots: TrustedRoots
  /** In place of one that trusts `roots`; nothing that ships gives another (`trust-root.test.ts`). */
  readonly quotes?: QuoteJudge
  readonly logger: Logger
}

const verifiers = new Map<string, QuoteVerifier>()

/** The verifier of real quotes, one for all ports of the process that want the same. */
export function quoteJudge({ dataDir, pccs = intelServiceUrl, roots, logger }: AttestingOptions): QuoteJudge {
  const folder = join(dataDir, 'attestation', 'collateral')
  const key = [folder, pccs, ...roots.map((root) => Buffer.from(root).toString('hex'))].join(' ')
  const known = verifiers.get(key)
  if (known !== undefined) return known
  const service = new CollateralService({ url: pccs })
  const collateral = new CollateralCache({ service, folder, logger: logger.room('attestation') })
  const verifier = new QuoteVerifier({ collateral, roots })
  verifiers.set(key, verifier)
  return verifier
}

/** The policy of that name, without lists. */
export function policyNamedOf(name: PolicyName, options: AttestingOptions): Policy {
  return name === 'tdx' ? { kind: name, quotes: options.quotes ?? quoteJudge(options) } : { kind: name }
}

/** The machine that a role runs in, and how it proves that; what the kernel says and offers, where left out. */
export interface Machine {
  readonly tee?: ReturnType<typeof detectTee>
  readonly files?: TsmFiles
  readonly gpu?: () => Promise<GpuClaim>
}

/**
 * What an own certificate shows where peers are asked for the policy `name`: a fake quote is what a peer of a test network expects in return
 * (protocol 10 §10), a real one wherever this machine can make it, and none elsewhere.
 */
export function ownQuote(name: PolicyName, { tee = detectTee(), files }: Machine = {}): IdentityOptions['quote'] {
  if (name === 'fake_tdx') return fakeQuote
  return name === 'tdx' && tee.kind === 'tdx-guest' && tee.canQuote ? (publicKey) => machineQuote(publicKey, files) : undefined
}

/** A quote of this machine for a key. @throws Failure `tsm-unavailable`, `tsm-conflict`, `tsm-failed`; AttestationError `quote-…` */
export function machineQuote(publicKey: Uint8Array, files?: TsmFiles): Uint8Array {
  return quoteWith(new Uint8Array(createHash('sha512').update(publicKey).digest()), files)
}

/**
 * What a confidential machine adds to the keys of the worker in it: a quote bound to each, and what its graphics cards are. Undefined elsewhere: such
 * keys are signed by their owner alone. So are those of a worker whose engine is another program: it may answer on any machine, from any file, and
 * this one's quote says nothing of it.
 * @param engine what the worker serves with: `builtin`, or an address
 */
export function sealingMachine(
  engine: string,
  { tee = detectTee(), files, gpu = gpuClaim }: Machine = {},
): Required<Pick<SealingIdentity, 'quote' | 'gpu'>> | undefined {
  if (engine !== 'builtin' || tee.kind !== 'tdx-guest' || !tee.canQuote) return undefined
  return { quote: async (reportData) => quoteWith(reportData, files), gpu }
}

/** What this machine can say of its graphics cards. @param root where the file system begins; another place in tests */
export async function gpuClaim(root = '/', ask: typeof queryGpuConfidential = queryGpuConfidential): Promise<GpuClaim> {
  if (!['dev/nvidiactl', 'dev/dri', 'dev/kfd'].some((device) => existsSync(join(root, device)))) return 'none'
  const { state, ready } = await ask()
  return state === 'on' && ready ? 'confidential' : 'exposed'
}

/** @param reportData 64 bytes. Throws as `machineQuote`. */
function quoteWith(reportData: Uint8Array, files?: TsmFiles): Uint8Array {
  const { provider, report } = tsmReport(reportData, files)
  if (provider !== 'tdx_guest') throw new Failure('tsm-failed', `The machine gives reports of ${provider} in the place of quotes`)
  const { measured } = readQuote(report).body
  if (Buffer.compare(measured.reportData, reportData) !== 0)
    throw new AttestationError('quote-not-for-this-key', 'The machine gave a quote for something else')
  return report
}
