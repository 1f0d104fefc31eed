import { parseArgs } from 'node:util'
import { isLoopback } from '../../base/http-listener.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { startKeyManagerRole } from '../../roles/key-manager-role.ts'
import { UsageError, wholeNumber } from './arguments.ts'
import { commonHelp, commonOptions, policyOf, readCommon } from './common.ts'
import { runRole } from './run-role.ts'

export const keyManagerHelp = `Usage: cocoon-desktop key-manager --network <name or file> [options]

  Makes the keys that requests are encrypted for, lists them in the network contract, and gives the private ones to proxies and workers.
    --port <n>                The port that the network contract names (default 13001).
    --host <address>          Where it listens (default 0.0.0.0; with --plain 127.0.0.1).
    --policy <any|fake_tdx|tdx>  What proxies and workers must prove (default any).
    --plain                   Frames directly on TCP: no encryption, no proof of work. On this computer only.
    --behind-router           As --plain, for a router in front (cocoon-desktop router -R), which checks the peers.
    --pow <bits>              Proof of work that each peer owes, 0 to 24 (default 20).${commonHelp}
`

export async function keyManagerCommand(args: readonly string[], entries: ChildEntries): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...commonOptions,
      port: { type: 'string', default: '13001' },
      host: { type: 'string' },
      policy: { type: 'string', default: 'any' },
      plain: { type: 'boolean', default: false },
      'behind-router': { type: 'boolean', default: false },
      pow: { type: 'string', default: '20' },
    },
  })
  if (values.help) return console.log(keyManagerHelp)
  const common = readCommon('key-manager', values, entries)
  const behindRouter = values['behind-router']
  const plain = values.plain || behindRouter
  const host = values.host ?? (plain ? '127.0.0.1' : '0.0.0.0')
  if (plain && !isLoopback(host)) throw new UsageError('--plain has no encryption; it listens on this computer only.')
  const own = {
    host,
    port: wholeNumber('port', values.port, 0, 65_535),
    policy: policyOf('policy', values.policy),
    plain,
    behindRouter,
    difficulty: wholeNumber('pow', values.pow, 0, 24),
  }
  await runRole((signal) => startKeyManagerRole({ ...common.roleOptions(signal), ...own }), common)
}
