import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { childEntries } from '../../../main/child-entries.ts'
import { serve } from '../../../main/headless/serve.ts'
import { verifyCommand } from '../../../main/headless/verify-command.ts'
import { parsePccsUrl } from '../../../main/protocol/attestation/collateral-service.ts'

/**
 * `serve` and `verify` of the command line, composed by the same functions, with a root key of the test's in the place of Intel's: hardware as an argument.
 * What ships has no such place: this file is in no build, and the entries of the app pass Intel's key. Page and children are those of the build.
 *
 * Usage: cli.ts <SHA-384 of the root key> serve|verify …
 */
const built = join(import.meta.dirname, '..', '..', '..', 'out')
const [root = '', command, ...rest] = process.argv.slice(2)
const roots = [new Uint8Array(Buffer.from(root, 'hex'))]

if (command === 'verify') process.exit(await verifyCommand(rest, roots))
const { values } = parseArgs({
  args: rest,
  options: {
    port: { type: 'string', default: '0' },
    'data-dir': { type: 'string', default: '' },
    network: { type: 'string', default: '' },
    pccs: { type: 'string', default: '' },
  },
})
await serve({
  port: Number(values.port),
  open: false,
  verbose: false,
  entries: childEntries(pathToFileURL(join(built, 'main', 'cli.js')).href),
  pageRoot: pathToFileURL(join(built, 'renderer')),
  dataDir: values['data-dir'],
  networkFile: values.network,
  pccs: parsePccsUrl(values.pccs),
  roots,
})
