import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * Runs a program in the place of this process: on the same terminal, with the signals that ask this process to stop passed on to it.
 * Resolves with the status that this process should end with (128 + n for signal n, as shells count), and how long the program ran.
 */
export function runInPlace(command, args, { env = process.env } = {}) {
  const startedMs = Date.now()
  const child = spawn(command, args, { stdio: 'inherit', env })
  let asked = false
  // Ctrl-C reaches the child by itself (same terminal); a signal sent to this process alone must be passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      asked = true
      child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal)
    })
  return new Promise((resolve) => {
    const ended = (status) => resolve({ status, ranMs: Date.now() - startedMs, asked })
    child.on('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`)
      ended(127)
    })
    child.on('exit', (code, signal) => ended(signal ? 128 + constants.signals[signal] : (code ?? 1)))
  })
}
