import type { CheckRow, EvidenceItem, Sentence } from '../../../preload/api/privacy.ts'
import type { ClientConnectionState } from '../../client/state.ts'
import type { ListedRoot } from '../../roles/attested-peers.ts'
import { rootAge } from '../../ton/root-age.ts'
import { type Dispute, disputeText, endpointsThat } from '../../ton/root-agreement.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { evidence, passed, rowFailed, said } from './rows.ts'
import type { SeenPeer } from './seen-peer.ts'

/** What the rows and the evidence tell of a registry that was read. */
export type ReadRoot = ListedRoot & Pick<RootConfig, 'version'>

/** What they tell of a connection. */
export interface UsedLink {
  readonly link: Pick<ClientConnectionState, 'endpoint' | 'proxyContract' | 'clientContract'>
  readonly peer: Pick<SeenPeer, 'key' | 'quote' | 'imageHash'>
}

/** Older readings of the registry say nothing about now. */
const mostRootAgeMs = 600_000

/** What the rows of every network level say in bold. */
export const statements = {
  channel: said('The way to the proxy is encrypted', { code: 'check-channel' }),
  registry: said('The proxy is listed in the registry', { code: 'check-registry' }),
  hardware: said('Sealed hardware', { code: 'check-hardware' }),
  software: said('Published software', { code: 'check-software' }),
  worker: said('The worker and its model', { code: 'check-worker' }),
} as const

export function channelRow({ key, quote }: UsedLink['peer']): CheckRow {
  if (key === undefined)
    return rowFailed('channel', statements.channel, said('The connection has no encryption.', { code: 'check-channel-plain' }))
  if (quote !== undefined)
    return passed(
      'channel',
      'here',
      statements.channel,
      said('TLS 1.3 to the key below, which the attestation of the proxy was made for. Nobody stands in between.', {
        code: 'check-channel-attested',
      }),
    )
  return passed(
    'channel',
    'here',
    statements.channel,
    said('TLS 1.3 to the key below. Whose key it is was not checked: the policy of this network is “any”.', {
      code: 'check-channel-any',
    }),
  )
}

export function registryRow(endpoint: string, root: RootConfig | null, nowMs: number): CheckRow {
  const age = root && rootAge(root, nowMs, mostRootAgeMs)
  if (age === 'future')
    return rowFailed(
      'registry',
      statements.registry,
      said('The registry was read at a time that is still to come. Is this computer’s clock right?', {
        code: 'check-registry-future',
      }),
    )
  if (root === null || age === 'old')
    return rowFailed('registry', statements.registry, said('The registry was not read lately.', { code: 'check-registry-old' }))
  if (root.disputed !== undefined) return rowFailed('registry', statements.registry, disputed(root.disputed))
  const isListed = root.proxies.some(({ forClients: { host, port } }) => `${host}:${port}` === endpoint)
  if (!isListed)
    return rowFailed(
      'registry',
      statements.registry,
      said('The registry does not list this proxy.', { code: 'check-registry-unlisted' }),
    )
  const { version, source } = root
  const { text, code, values } = readThrough(source)
  return passed(
    'registry',
    'here',
    statements.registry,
    said(`Version ${version}, read through ${text}; no block proof was checked.`, {
      code: `check-registry-${code}`,
      values: { version, ...values },
    }),
  )
}

/** Why a row fails that rests on the registry, while endpoints disagree about it. */
export const disputed = (dispute: Dispute): Sentence =>
  said(disputeText(dispute), { code: 'check-registry-disputed', values: { ...dispute } })

/** Through whom the registry was read, and whether they agreed. Ends the codes `check-registry-` and `check-software-`. */
export function readThrough(source: RootConfig['source']): {
  readonly text: string
  readonly code: 'listed' | 'agreed' | 'silent' | 'partly'
  readonly values: Readonly<Record<string, string | number>>
} {
  const from = source?.endpoint ?? '—'
  const same = endpointsThat('same', source?.others).join(', ')
  const silent = endpointsThat('silent', source?.others).join(', ')
  if (same === '' && silent === '') return { text: `${from}. One endpoint was asked`, code: 'listed', values: { from } }
  if (silent === '') return { text: `${from}. Also asked: ${same}. They agreed`, code: 'agreed', values: { from, same } }
  if (same === '') return { text: `${from} alone: ${silent} did not answer`, code: 'silent', values: { from, silent } }
  return {
    text: `${from}. Also asked: ${same}. They agreed; ${silent} did not answer`,
    code: 'partly',
    values: { from, same, silent },
  }
}

/** Proxy and contracts of a connection, and the registry as it was read. */
export function connectionEvidence(used: UsedLink, root: ReadRoot | null, policy: 'any' | 'tdx'): EvidenceItem[] {
  const { link, peer } = used
  return [
    evidence('proxy', 'mono', said('Proxy', { code: 'evidence-proxy' }), link.endpoint),
    ...(peer.key === undefined
      ? []
      : [evidence('proxy-key', 'hash', said('TLS key of the proxy', { code: 'evidence-proxy-key' }), peer.key)]),
    evidence('policy', 'mono', said('Policy', { code: 'evidence-policy' }), policy),
    ...contractEvidence(link),
    ...(root ? rootEvidence(root) : []),
  ]
}

function contractEvidence({ proxyContract, clientContract }: UsedLink['link']): EvidenceItem[] {
  return [
    ...(proxyContract
      ? [
          evidence(
            'proxy-contract',
            'mono',
            said('Proxy contract', { code: 'evidence-proxy-contract' }),
            proxyContract.toString(),
          ),
        ]
      : []),
    ...(clientContract
      ? [
          evidence(
            'client-contract',
            'mono',
            said('Client contract', { code: 'evidence-client-contract' }),
            clientContract.toString(),
          ),
        ]
      : []),
  ]
}

function rootEvidence({ address, version, readAtMs, source, disputed }: ReadRoot): EvidenceItem[] {
  const block = source?.block
  return [
    evidence('registry', 'mono', said('Registry', { code: 'evidence-registry' }), address.toString()),
    evidence('registry-version', 'text', said('Version of the registry', { code: 'evidence-registry-version' }), String(version)),
    evidence('read-at', 'text', said('Read at', { code: 'evidence-read-at' }), new Date(readAtMs).toISOString()),
    evidence('read-from', 'mono', said('Chain read through', { code: 'evidence-read-from' }), source?.endpoint ?? '—'),
    ...endpointsThat('same', source?.others).map((endpoint, index) =>
      evidence(`read-same-${index + 1}`, 'mono', said('Another that said the same', { code: 'evidence-read-same' }), endpoint),
    ),
    ...endpointsThat('silent', source?.others).map((endpoint, index) =>
      evidence(
        `read-silent-${index + 1}`,
        'mono',
        said('Another that did not answer', { code: 'evidence-read-silent' }),
        endpoint,
      ),
    ),
    ...(disputed
      ? [
          evidence(
            'read-other',
            'mono',
            said('They tell different things', { code: 'evidence-read-other' }),
            `${disputed.first}, ${disputed.other}`,
          ),
        ]
      : []),
    ...(block ? [evidence('block', 'text', said('Block', { code: 'evidence-block' }), String(block.seqno))] : []),
  ]
}
