import type { CheckRow } from '../../../preload/api/privacy.ts'
import { Failure } from '../../base/failure.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { ClientConnectionState } from '../../client/state.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { LiveNetwork } from '../app-network.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'
import type { SeenPeer } from './seen-peer.ts'

/** Older readings of the registry say nothing about now. */
const mostRootAgeMs = 600_000

/** The practice network: the client's connection to the proxy. It has no attestation, so most rows say that nobody checked. */
export function practiceChecker(live: Watchable<LiveNetwork | null>, now: () => number = Date.now): LevelChecker {
  const connection = new Signal<string | null>(null)
  const show = (): void => connection.set(usedBy(live.value)?.name ?? null)
  let unwatch: () => void = () => undefined
  const follow = (network: LiveNetwork | null): void => {
    unwatch()
    unwatch = network?.client.state.onChange(show) ?? (() => undefined)
    show()
  }
  live.onChange(follow)
  follow(live.value)
  return {
    level: 'practice',
    connection,
    check: async (name) => {
      const network = live.value
      const used = usedBy(network)
      if (!network || used?.name !== name)
        throw new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })
      return findings(used.link, used.peer, network.root.config.value, now())
    },
  }
}

interface Used {
  /** Of this very connection: to which endpoint, with whose key; a new one to the same place has another name. */
  readonly name: string
  readonly link: ClientConnectionState
  readonly peer: SeenPeer
}

/** The connection that the practice level is checked on. */
function usedBy(network: Pick<LiveNetwork, 'client' | 'peers'> | null): Used | undefined {
  const [link] = network?.client.state.value.connections ?? []
  const peer = link?.wire && network?.peers.of(link.wire)
  if (link?.phase !== 'ready' || !peer) return undefined
  return { name: `${link.endpoint} #${peer.count} ${peer.key ?? 'plain'}`, link, peer }
}

/** Whether a connection of the network's client is the one that a permit names, now. */
export function isPermitted(network: Pick<LiveNetwork, 'client' | 'peers'>, wire: PacketConnection, permitted: string): boolean {
  const used = usedBy(network)
  return used?.link.wire === wire && used.name === permitted
}

const statements = {
  channel: said('The way to the proxy is encrypted', { code: 'check-channel' }),
  registry: said('The proxy is listed in the registry', { code: 'check-registry' }),
  hardware: said('Sealed hardware', { code: 'check-hardware' }),
  software: said('Published software', { code: 'check-software' }),
  worker: said('The worker and its model', { code: 'check-worker' }),
} as const

function findings(link: ClientConnectionState, peer: SeenPeer, root: RootConfig | null, nowMs: number): Findings {
  const { endpoint, proxyContract, clientContract } = link
  const block = root?.source?.block
  return {
    rows: [
      channelRow(peer),
      registryRow(endpoint, root, nowMs),
      notChecked(
        'hardware',
        statements.hardware,
        said('The practice network asks for no proof of hardware.', { code: 'check-hardware-practice' }),
      ),
      notChecked(
        'software',
        statements.software,
        said('The registry of the practice network lists no images.', { code: 'check-software-practice' }),
      ),
      notChecked(
        'worker',
        statements.worker,
        said('Who the worker is and which file it answers with was not checked over the network.', {
          code: 'check-worker-practice',
        }),
      ),
    ],
    evidence: [
      evidence('proxy', 'mono', said('Proxy', { code: 'evidence-proxy' }), endpoint),
      ...(peer.key === undefined
        ? []
        : [evidence('proxy-key', 'hash', said('TLS key of the proxy', { code: 'evidence-proxy-key' }), peer.key)]),
      evidence('policy', 'mono', said('Policy', { code: 'evidence-policy' }), 'any'),
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
      ...(root
        ? [
            evidence('registry', 'mono', said('Registry', { code: 'evidence-registry' }), root.address.toString()),
            evidence(
              'registry-version',
              'text',
              said('Version of the registry', { code: 'evidence-registry-version' }),
              String(root.version),
            ),
            evidence('read-at', 'text', said('Read at', { code: 'evidence-read-at' }), readAt(root)),
            evidence(
              'read-from',
              'mono',
              said('Chain read through', { code: 'evidence-read-from' }),
              root.source?.endpoint ?? '—',
            ),
            ...(block ? [evidence('block', 'text', said('Block', { code: 'evidence-block' }), String(block.seqno))] : []),
          ]
        : []),
    ],
  }
}

const readAt = ({ readAtMs }: RootConfig): string => new Date(readAtMs).toISOString()

function channelRow({ key }: SeenPeer): CheckRow {
  if (key === undefined)
    return rowFailed('channel', statements.channel, said('The connection has no encryption.', { code: 'check-channel-plain' }))
  return passed(
    'channel',
    'here',
    statements.channel,
    said('TLS 1.3 to the key below. Whose key it is was not checked: the policy of this network is “any”.', {
      code: 'check-channel-any',
    }),
  )
}

function registryRow(endpoint: string, root: RootConfig | null, nowMs: number): CheckRow {
  if (root === null || nowMs - root.readAtMs > mostRootAgeMs)
    return rowFailed('registry', statements.registry, said('The registry was not read lately.', { code: 'check-registry-old' }))
  const isListed = root.proxies.some(({ forClients: { host, port } }) => `${host}:${port}` === endpoint)
  if (!isListed)
    return rowFailed(
      'registry',
      statements.registry,
      said('The registry does not list this proxy.', { code: 'check-registry-unlisted' }),
    )
  const { version, source } = root
  const from = source?.endpoint ?? '—'
  return passed(
    'registry',
    'here',
    statements.registry,
    said(`Version ${version}, read through ${from}. One endpoint was asked; no block proof was checked.`, {
      code: 'check-registry-listed',
      values: { version, from },
    }),
  )
}
