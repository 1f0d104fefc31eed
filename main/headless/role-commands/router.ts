import { parseArgs } from 'node:util'
import { createLogger } from '../../base/logger.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { parsePccsUrl } from '../../protocol/attestation/collateral-service.ts'
import { intelRoots } from '../../protocol/attestation/intel-chain.ts'
import { startRouterRole } from '../../roles/router-role.ts'
import { defaultDataDir } from '../../storage/files.ts'
import { UsageError, wholeNumber } from './arguments.ts'
import { runRole } from './run-role.ts'

export const routerHelp = `Usage: cocoon-desktop router [-S <port>[@<policy>]] … [-R <port>:<ip>:<port>[@<policy>]] … [options]

  Does proof of work, TLS and the check of peers for clients, workers and proxies on this computer.
    -S, --socks <port>[@<policy>]            The way out: a client or worker with --proxy-via 127.0.0.1:<port> reaches proxies by it.
    -R, --reverse <port>:<ip>:<port>[@<policy>]  The way in: from the first port to a proxy (--plain) at the second address.
                                             Policies: any (default), fake_tdx, tdx, or a name from --policies.
    --policies <file>                        More policies, with lists of hashes (docs/router.md).
    --policy-from-username                   A runner may choose the policy of -S by the SOCKS user name.
    --fake-quote                             Shows a fake quote, as peers with the policy fake_tdx want it.
    --host <address>                         Where -R listens (default 0.0.0.0). -S listens on 127.0.0.1 only.
    --pow <bits>                             Proof of work that peers owe who come in, 0 to 24 (default 20).
    --pccs <url>                             Where collateral for the policy tdx is asked for (default: Intel's own service).
    --data-dir <path>                        Where that collateral is kept.
    --verbose                                Logs more.
`

export async function routerCommand(args: readonly string[], entries: ChildEntries): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      socks: { type: 'string', short: 'S', multiple: true, default: [] },
      reverse: { type: 'string', short: 'R', multiple: true, default: [] },
      policies: { type: 'string' },
      'policy-from-username': { type: 'boolean', default: false },
      'fake-quote': { type: 'boolean', default: false },
      host: { type: 'string', default: '0.0.0.0' },
      pow: { type: 'string', default: '20' },
      pccs: { type: 'string' },
      'data-dir': { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(routerHelp)
  const { socks, reverse } = values
  if (socks.length + reverse.length === 0) throw new UsageError('A router needs a way out (-S) or a way in (-R).')
  const logger = createLogger((line) => process.stderr.write(`${line}\n`), values.verbose ? 'debug' : 'info', 'router')
  const options = {
    socks,
    reverse,
    policyFromUserName: values['policy-from-username'],
    host: values.host,
    difficulty: wholeNumber('pow', values.pow, 0, 24),
    fakeQuote: values['fake-quote'],
    entries,
    dataDir: values['data-dir'] ?? defaultDataDir(),
    roots: intelRoots,
    logger,
    ...(values.pccs === undefined ? {} : { pccs: parsePccsUrl(values.pccs) }),
    ...(values.policies === undefined ? {} : { policyFile: values.policies }),
  }
  await runRole(() => startRouterRole(options), { drainMs: 0, logger })
}
