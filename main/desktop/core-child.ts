import { type ChildProcess, fork } from 'node:child_process'
import { type CoreToShell, coreToShell, type ShellToCore } from '../shell-link.ts'

export interface CoreChild {
  post(message: ShellToCore): void
  /** Asks the core to stop and resolves when its process is gone; ends it by force after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

export interface CoreChildOptions {
  /** Node 24 binary that the core runs on. */
  readonly nodePath: string
  /** Entry file of the core. */
  readonly entry: string
  readonly onMessage: (message: CoreToShell) => void
  /** The process is gone without having been asked to stop. */
  readonly onLost: (code: number | null) => void
}

/** Starts the core as a process of its own and speaks with it over its private pipe. */
export function startCoreChild({ nodePath, entry, onMessage, onLost }: CoreChildOptions): CoreChild {
  const child: ChildProcess = fork(entry, [], {
    execPath: nodePath,
    execArgv: [],
    serialization: 'json',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let stopping = false
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      resolve()
      if (!stopping) onLost(code)
    })
    child.on('error', () => {
      // Also told when a message could not be sent; only a process that never ran will tell no end of its own.
      if (child.pid !== undefined) return
      resolve()
      if (!stopping) onLost(null)
    })
  })
  child.on('message', (raw) => {
    const parsed = coreToShell.safeParse(raw)
    if (parsed.success) onMessage(parsed.data)
  })
  const post = (message: ShellToCore): void => {
    if (child.connected) child.send(message)
  }
  return {
    post,
    async stop(graceMs) {
      stopping = true
      post({ type: 'stop' })
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await gone
      clearTimeout(force)
    },
  }
}
