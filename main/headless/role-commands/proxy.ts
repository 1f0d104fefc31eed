import { parseArgs } from 'node:util'
import { isLoopback } from '../../base/http-listener.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { startProxyRole } from '../../roles/proxy-role.ts'
import { hostAndPort, required, UsageError, versionRange, wholeNumber } from './arguments.ts'
import { commonHelp, commonOptions, policyOf, readCommon } from './common.ts'
import { readKeyAccess } from './key-access.ts'
import { runRole } from './run-role.ts'

export const proxyHelp = `Usage: cocoon-desktop proxy --network <name or file> --workers-port <n> --clients-port <n> [options]

  Brings the requests of clients to workers, counts, signs and settles.
    --workers-port <n>, --clients-port <n>   The ports that the network contract lists for this proxy.
    --host <address>                         Where both listen (default 0.0.0.0; with --plain 127.0.0.1).
    --policy-workers <any|fake_tdx|tdx>      What workers must prove (default any).
    --policy-clients <any|fake_tdx|tdx>      What clients must prove (default any).
    --plain                                  Frames directly on TCP: no encryption, no proof of work. On this computer only.
    --behind-router                          As --plain, for a router in front (cocoon-desktop router -R), which checks the peers.
    --pow <bits>                             Proof of work that each peer owes, 0 to 24 (default 20).
    --commit-delay <ms>                      Finished requests are gathered into one commit for so long, 0 to 1000 (default 250).
    --listed-models-only                     Refuses workers with models that the network contract does not list.
    --accept-lost-database                   Starts although the chain knows of more work than the database.
    --protocol <range>                       Protocol versions that peers may choose (default 0-4; 0-2 behaves as proxies of 2025).
    --key-manager <host:port>                Where private keys of encrypted requests come from (default: as the network contract says).
    --key-manager-policy <any|fake_tdx|tdx>  What the key manager must prove (default: as for workers).
    --key-manager-via <host:port>            A router on this computer by which it is reached.
    --http <host:port>                       Status for the operator (default none).${commonHelp}
`

export async function proxyCommand(args: readonly string[], entries: ChildEntries): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...commonOptions,
      'workers-port': { type: 'string' },
      'clients-port': { type: 'string' },
      host: { type: 'string' },
      'policy-workers': { type: 'string', default: 'any' },
      'policy-clients': { type: 'string', default: 'any' },
      plain: { type: 'boolean', default: false },
      'behind-router': { type: 'boolean', default: false },
      pow: { type: 'string', default: '20' },
      'commit-delay': { type: 'string', default: '250' },
      'listed-models-only': { type: 'boolean', default: false },
      'accept-lost-database': { type: 'boolean', default: false },
      protocol: { type: 'string' },
      'key-manager': { type: 'string' },
      'key-manager-policy': { type: 'string' },
      'key-manager-via': { type: 'string' },
      http: { type: 'string' },
    },
  })
  if (values.help) return console.log(proxyHelp)
  const common = readCommon('proxy', values, entries)
  const behindRouter = values['behind-router']
  const plain = values.plain || behindRouter
  const host = values.host ?? (plain ? '127.0.0.1' : '0.0.0.0')
  if (plain && !isLoopback(host)) throw new UsageError('--plain has no encryption; it listens on this computer only.')
  const policyWorkers = policyOf('policy-workers', values['policy-workers'])
  const own = {
    host,
    workersPort: wholeNumber('workers-port', required('workers-port', values['workers-port']), 0, 65_535),
    clientsPort: wholeNumber('clients-port', required('clients-port', values['clients-port']), 0, 65_535),
    policyWorkers,
    policyClients: policyOf('policy-clients', values['policy-clients']),
    plain,
    behindRouter,
    difficulty: wholeNumber('pow', values.pow, 0, 24),
    commitDelayMs: wholeNumber('commit-delay', values['commit-delay'], 0, 1000),
    listedModelsOnly: values['listed-models-only'],
    acceptLostDatabase: values['accept-lost-database'],
    ...(values.protocol === undefined ? {} : { versions: versionRange('protocol', values.protocol, 0) }),
    keyManager: readKeyAccess(values, { policy: policyWorkers }),
    ...(values.http === undefined ? {} : { http: hostAndPort('http', values.http) }),
  }
  await runRole((signal) => startProxyRole({ ...common.roleOptions(signal), ...own }), common)
}
