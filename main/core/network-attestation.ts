import type { Told } from '../base/failure.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { detectTee } from '../hardware/tee.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import { dialerOptions } from '../roles/role-options.ts'
import { StandingPeers } from '../roles/standing-peers.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { type Dial, type DialerOptions, openDialer } from './dialer.ts'

/** What decides, together with the network contract, which peers of a network the app talks to. */
export interface NetworkPeersOptions {
  readonly powThread: URL
  /** The network contract as it was read last. */
  readonly root: Watchable<RootConfig | null>
  /** Judges real quotes. */
  readonly quotes: QuoteJudge
  /** Looks at every proxy that passed. */
  readonly see?: NonNullable<DialerOptions['check']>
}

/**
 * How the app reaches proxies: what the network contract demands of them is asked of them. Where it demands attestation, only a proxy passes whose quote
 * holds and whose image it lists (protocol 10 §8), and it is left when it passes no more; elsewhere anybody does.
 */
export function dialByContract({ powThread, root, quotes, see }: NetworkPeersOptions): Dial {
  const { check: isListed, ...attesting } = dialerOptions({ kind: 'tdx', quotes }, () => root.value)
  const standing = new StandingPeers(root, quotes)
  const anybody = openDialer(powThread, see && { check: see })
  const attested = openDialer(powThread, {
    ...attesting,
    check: (peer, connection) => {
      isListed?.(peer)
      standing.see(peer, connection)
      see?.(peer, connection)
    },
  })
  return (address, signal) => (demandsAttestation(root.value) ? attested(address, signal) : anybody(address, signal))
}

/**
 * Why this computer can be no worker of a network; null when it can, or the contract was not read yet. A proxy would refuse it, after a proof of work each time.
 * @param machine what the app runs in
 */
export function noWorkerThere(root: RootConfig | null, machine: Machine = detectTee()): Told | null {
  return root === null || !demandsAttestation(root) || machine.canQuote ? null : cannotAttest
}

/** One and the same as long as it holds: each other value is a change. */
const cannotAttest: Told = {
  text: 'This network takes only workers that prove what they run, which this computer cannot.',
  words: { code: 'worker-cannot-attest' },
}

/** The same as the contract says it now. @param machine see `noWorkerThere` */
export function watchNoWorker(root: Watchable<RootConfig | null>, machine?: Machine): Watchable<Told | null> {
  const told = new Signal(noWorkerThere(root.value, machine))
  root.onChange((config) => told.set(noWorkerThere(config, machine)))
  return told
}

interface Machine {
  readonly canQuote: boolean
}

/** Unread, it may demand anything. */
export const demandsAttestation = (root: RootConfig | null): boolean => root === null || !root.params.isTest

/**
 * How quotes in workers' keys are judged: by the images that the network contract lists. A network that demands no attestation lists none that mean
 * anything, so quotes are passed over there.
 */
export function workerPolicyOf(root: RootConfig | null, quotes: QuoteJudge): Policy | undefined {
  if (root === null || root.params.isTest) return undefined
  const imageHashes = [...root.workerHashes].map((hash) => new Uint8Array(Buffer.from(hash, 'hex')))
  return { kind: 'tdx', quotes, imageHashes }
}
