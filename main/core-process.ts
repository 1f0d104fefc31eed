import { join } from 'node:path'
import { servePage } from './api-link.ts'
import { forbidCoreDumps } from './base/core-dumps.ts'
import { asError, messageAndAdvice } from './base/failure.ts'
import { createLogger, type Logger } from './base/logger.ts'
import { childEntries } from './child-entries.ts'
import { startCore } from './core.ts'
import { guardProcess } from './last-resort.ts'
import { logFile } from './log-file.ts'
import { intelRoots } from './protocol/attestation/intel-chain.ts'
import { type CoreToShell, coreStopLimitMs, shellToCore } from './shell-link.ts'
import { defaultDataDir } from './storage/files.ts'
import { passwordFromEnvironment } from './wallet/vault-password.ts'

/** @throws Failure when the data folder cannot be used */
const openLog = async (dataDir: string): Promise<Logger> => createLogger(logFile(join(dataDir, 'logs', 'core.log')))

/** Entry of the core under the desktop shell: one process on the bundled Node 24, spoken to over the parent's pipe only. */
async function main(): Promise<void> {
  const hasNoDumps = forbidCoreDumps()
  const dataDir = defaultDataDir()
  const tell = (message: CoreToShell): Promise<void> =>
    new Promise((resolve) => {
      if (process.send && process.connected) process.send(message, undefined, {}, () => resolve())
      else resolve()
    })

  const failed = async (thrown: unknown): Promise<never> => {
    await tell({ type: 'failed', message: messageAndAdvice(thrown) })
    process.exit(1)
  }
  const logger = await openLog(dataDir).catch(failed)
  if (!hasNoDumps && process.platform === 'linux')
    logger.warn('core dumps could not be forbidden: a crash may write memory to disk')
  const networkFile = process.env.COCOON_NETWORK
  const vaultPassword = passwordFromEnvironment()
  let shellPids: ReadonlySet<number> = new Set()
  const core = await startCore({
    dataDir,
    shell: 'desktop',
    shellPids: () => shellPids,
    entries: childEntries(import.meta.url),
    ...(networkFile ? { networkFile } : {}),
    roots: intelRoots,
    ...(vaultPassword && { vaultPassword }),
    logger,
  }).catch(failed)
  const links = new Map<string, ReturnType<typeof servePage>>()

  const close = (link: string): void => {
    links.get(link)?.closed()
    links.delete(link)
  }
  const open = (link: string): void => {
    close(link)
    let sent: Promise<void> = Promise.resolve()
    const session = servePage(
      {
        send: (message) => {
          sent = tell({ type: 'message', link, message })
        },
        drained: () => sent,
        close: (reason) => {
          close(link)
          void tell({ type: 'closed', link, reason })
        },
      },
      core.handlers,
      logger.room('page'),
    )
    links.set(link, session)
  }

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), coreStopLimitMs).unref()
    core.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error('the core could not stop in order', { reason: asError(error).message })
        process.exit(1)
      },
    )
  }

  guardProcess(logger, stop)
  process.on('message', (raw) => {
    const parsed = shellToCore.safeParse(raw)
    if (!parsed.success) return logger.warn('the shell sent a malformed message')
    const message = parsed.data
    switch (message.type) {
      case 'open':
        return open(message.link)
      case 'message':
        return links.get(message.link)?.receive(message.message)
      case 'close':
        return close(message.link)
      case 'processes':
        shellPids = new Set(message.pids)
        return
      case 'stop':
        return stop()
    }
  })
  // Without its shell nobody could see or stop this process.
  process.on('disconnect', stop)
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // A shell that died while the core was starting is not told of any more.
  if (!process.connected) return stop()
  await tell({ type: 'ready' })
}

void main()
