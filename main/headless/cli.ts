import { parseArgs } from 'node:util'
import { forbidCoreDumps } from '../base/core-dumps.ts'
import { messageAndAdvice } from '../base/failure.ts'
import { childEntries } from '../child-entries.ts'
import { version } from '../version.ts'

const help = `Cocoon Desktop ${version}

Usage: cocoon-desktop serve [options]

  serve                Runs the app and serves its page to a browser on this computer.
    --open             Opens the default browser.
    --port <n>         Port on 127.0.0.1 (default: by chance at each start). A page that another program served on a port that
                       it could foresee may share what this browser keeps for the app.
    --data-dir <path>  Where chats, wallets, models and the local network are kept.
    --network <file>   Network to open in place of the computer's own: a file of "cocoon-desktop network deploy".
    --listed-proxies   Runs no proxy in it: the app is a client, and a worker, of those that the network lists.
    --pccs <url>       Where collateral for attestation is asked for (default: Intel's own service).
    --verbose          Logs more to the log file.

  client, worker, proxy    Runs one role of a network; see cocoon-desktop <role> --help and docs/operators.md.

  router                   Does proof of work and TLS for them: cocoon-desktop router --help and docs/router.md

  key-manager              Makes the keys of a network's encrypted requests: cocoon-desktop key-manager --help

  network <command>        Deploys a network of your own and changes it as its owner: cocoon-desktop network --help

  vault <command>          Locks chats and wallets with a password, or takes it away: cocoon-desktop vault --help

  verify <file>            Verifies a saved receipt or evidence without the app: cocoon-desktop verify --help

  --help, --version
`

async function main(): Promise<void> {
  forbidCoreDumps()
  // Each command loads what it needs: the app, the roles and the virtual machine are large.
  if (process.argv[2] === 'network') {
    const { networkCommand } = await import('./network-command.ts')
    process.exit(await networkCommand(process.argv.slice(3), childEntries(import.meta.url)))
  }
  if (process.argv[2] === 'vault') {
    const { vaultCommand } = await import('./vault-command.ts')
    process.exit(await vaultCommand(process.argv.slice(3)))
  }
  if (process.argv[2] === 'verify') {
    const { verifyCommand } = await import('./verify-command.ts')
    const { intelRoots } = await import('../protocol/attestation/intel-chain.ts')
    process.exit(await verifyCommand(process.argv.slice(3), intelRoots))
  }
  const { roleCommand } = await import('./role-commands/role-command.ts')
  if (await roleCommand(process.argv.slice(2), childEntries(import.meta.url))) return
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      open: { type: 'boolean', default: false },
      port: { type: 'string' },
      'data-dir': { type: 'string' },
      network: { type: 'string' },
      'listed-proxies': { type: 'boolean', default: false },
      pccs: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  })
  if (values.version) return console.log(version)
  if (values.help || positionals.length === 0) return console.log(help)
  if (positionals[0] !== 'serve' || positionals.length > 1)
    throw new Error(`Unknown command: ${positionals.join(' ')}\n\n${help}`)
  const port = values.port === undefined ? undefined : Number(values.port)
  if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535))
    throw new Error(`--port must be a number from 0 to 65535, not ${values.port}.`)
  const networkFile = values.network ?? process.env.COCOON_NETWORK
  // A role of the command line does without the app, its memory and its start.
  const { serve } = await import('./serve.ts')
  const { parsePccsUrl } = await import('../protocol/attestation/collateral-service.ts')
  const { intelRoots } = await import('../protocol/attestation/intel-chain.ts')
  await serve({
    ...(port === undefined ? {} : { port }),
    open: values.open,
    verbose: values.verbose,
    entries: childEntries(import.meta.url),
    // The built renderer lies beside the built main folder, for sources too.
    pageRoot: new URL(import.meta.url.endsWith('.ts') ? '../../out/renderer' : '../renderer', import.meta.url),
    ...(values['data-dir'] === undefined ? {} : { dataDir: values['data-dir'] }),
    ...(networkFile ? { networkFile } : {}),
    listedProxies: values['listed-proxies'],
    ...(values.pccs === undefined ? {} : { pccs: parsePccsUrl(values.pccs) }),
    roots: intelRoots,
  })
}

main().catch((thrown: unknown) => {
  console.error(messageAndAdvice(thrown))
  process.exit(1)
})
