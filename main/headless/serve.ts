import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLogger } from '../base/logger.ts'
import type { ChildEntries } from '../child-entries.ts'
import { startCore } from '../core.ts'
import { guardProcess } from '../last-resort.ts'
import { logFile } from '../log-file.ts'
import type { TrustedRoots } from '../protocol/attestation/intel-chain.ts'
import { coreStopLimitMs } from '../shell-link.ts'
import { defaultDataDir } from '../storage/files.ts'
import { openBrowser } from './open-browser.ts'
import { startPageServer } from './page-server.ts'
import { Sessions } from './sessions.ts'
import { showProgress } from './terminal-progress.ts'
import { vaultPassword } from './vault-password.ts'

export interface ServeOptions {
  readonly port?: number
  readonly open: boolean
  readonly verbose: boolean
  readonly entries: ChildEntries
  readonly pageRoot: URL
  readonly dataDir?: string
  readonly networkFile?: string
  readonly listedProxies?: boolean
  readonly pccs?: string
  /** Root keys that quotes have to hold up to: `intelRoots` in all that ships. */
  readonly roots: TrustedRoots
}

/** Runs the core with the browser as its face until a signal ends it. */
export async function serve(options: ServeOptions): Promise<void> {
  const dataDir = options.dataDir ?? defaultDataDir()
  const logger = createLogger(logFile(join(dataDir, 'logs', 'core.log')), options.verbose ? 'debug' : 'info')
  const core = await startCore({
    dataDir,
    shell: 'browser',
    entries: options.entries,
    vaultPassword: vaultPassword(),
    ...(options.networkFile === undefined ? {} : { networkFile: options.networkFile }),
    ...(options.listedProxies === undefined ? {} : { listedProxies: options.listedProxies }),
    ...(options.pccs === undefined ? {} : { pccs: options.pccs }),
    roots: options.roots,
    logger,
  })
  const sessions = new Sessions()
  const page = await startPageServer({
    root: fileURLToPath(options.pageRoot),
    sessions,
    handlers: core.handlers,
    logger: logger.room('page'),
    ...(options.port === undefined ? {} : { port: options.port }),
  })

  let stopping = false
  const stop = async (): Promise<void> => {
    // Ctrl-C reaches this process from the terminal and from `npm start`: the second time changes nothing.
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), coreStopLimitMs).unref()
    console.log('\nStopping …')
    try {
      await page.close()
      await core.stop()
      process.exit(0)
    } catch (error) {
      console.error(error)
      process.exit(1)
    }
  }
  guardProcess(logger, () => void stop())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())

  if (page.moved) console.log(`Port ${options.port} is taken; using ${page.port}.`)
  const link = page.newLink()
  console.log(`\n  Open Cocoon:  ${link}\n`)
  console.log('  The link works once, on this computer. Enter prints a new one, Ctrl-C stops everything.\n')
  if (options.open && process.stdout.isTTY) await openBrowser(link)
  if (process.stdin.isTTY) process.stdin.on('data', () => console.log(`  ${page.newLink()}\n`))

  await showProgress(core.handlers, (line) => console.log(line))
}
