import type { Address } from '@ton/core'
import { formatEndpoints } from '../../contracts/net-address.ts'
import type { RootState } from '../../contracts/root.ts'
import { amountText, durationText, factorText } from './quantities.ts'

/** One fact about a network contract. `key` is the same in every report, so that two can be compared. */
export interface Fact {
  readonly key: string
  readonly label: string
  readonly value: string
}

/** One fact that differs between two readings; undefined where it is absent. */
export interface Difference {
  readonly label: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** Everything that a network contract says, in words for an operator. Addresses are written for the network of `testOnly`. */
export function rootFacts(root: RootState, options: { readonly testOnly: boolean }): Fact[] {
  const { params } = root
  const { multipliers } = params
  const fact = (label: string, value: string): Fact => ({ key: label, label, value })
  const facts = [
    fact('Owner', addressText(root.owner, options.testOnly)),
    fact(
      'Version',
      `${root.version} (params ${params.paramsVersion}, struct ${params.structVersion}, unique id ${params.uniqueId})`,
    ),
    fact('Attestation', params.isTest ? 'not required (is_test)' : 'required of proxies and workers'),
    fact('Price', `${amountText(params.pricePerToken)} per adjusted token`),
    fact('Worker fee', `${amountText(params.workerFeePerToken)} per adjusted token`),
    fact(
      'Multipliers',
      `prompt ${factorText(multipliers.prompt)}, cached ${factorText(multipliers.cached)}, completion ${factorText(multipliers.completion)}, reasoning ${factorText(multipliers.reasoning)}`,
    ),
    fact('Delay before a proxy closes', durationText(params.proxyDelaySec)),
    fact('Delay before a client closes', durationText(params.clientDelaySec)),
    fact('Least proxy stake', amountText(params.minProxyStake)),
    fact('Least client stake', amountText(params.minClientStake)),
    ...(['proxy', 'worker', 'client'] as const).map((name) =>
      fact(`Code of ${name} contracts`, params.codes[name]?.hash().toString('hex') ?? 'none'),
    ),
    ...root.proxies.map((proxy) => fact(`Proxy ${proxy.seqno}`, proxyText(formatEndpoints(proxy)))),
    ...root.unreadableProxies.map((seqno) => fact(`Proxy ${seqno}`, 'an entry that nobody can read')),
    ...hashFacts('Proxy image hash', root.proxyHashes),
    ...hashFacts('Worker image hash', root.workerHashes),
    ...hashFacts('Model hash', root.modelHashes),
  ]
  const { keyManager, verifiedKeys } = root
  if (keyManager !== null) {
    facts.push(
      fact('Key manager', `key ${keyManager.publicKey}, image ${keyManager.imageHash}`),
      fact('Key manager listens at', keyManager.endpoints === null ? 'nowhere' : formatEndpoints(keyManager.endpoints)),
      ...keyManager.keys.map(({ publicKey, type, expiresAtSec }) => ({
        key: `Public key ${publicKey}`,
        label: 'Public key',
        value: `${publicKey}, type ${type}, until ${new Date(expiresAtSec * 1000).toISOString()}`,
      })),
    )
  }
  if (verifiedKeys !== null) {
    facts.push(
      ...hashFacts('Verified proxy key', verifiedKeys.proxy),
      ...hashFacts('Verified worker key', verifiedKeys.worker),
      ...hashFacts('Verified key manager key', verifiedKeys.keyManager),
    )
  }
  return facts
}

/** What differs, in the order of the later report; what is gone comes last. */
export function differences(before: readonly Fact[], after: readonly Fact[]): Difference[] {
  const old = new Map(before.map((fact) => [fact.key, fact.value]))
  const kept = new Set(after.map(({ key }) => key))
  const changed = after
    .filter(({ key, value }) => old.get(key) !== value)
    .map(({ key, label, value }) => ({ label, before: old.get(key), after: value }))
  const gone = before.filter(({ key }) => !kept.has(key)).map(({ label, value }) => ({ label, before: value, after: undefined }))
  return [...changed, ...gone]
}

export function addressText(address: Address, testOnly: boolean): string {
  return address.toString({ testOnly })
}

function proxyText(entry: string): string {
  const [workers = '', clients] = entry.split(' ')
  return clients === undefined ? `${workers} for workers and clients` : `${workers} for workers, ${clients} for clients`
}

function hashFacts(label: string, hashes: ReadonlySet<string>): Fact[] {
  return [...hashes].sort().map((hash) => ({ key: `${label} ${hash}`, label, value: hash }))
}
