import { execFile } from 'node:child_process'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'

const longestMs = 600_000
const mostOutputBytes = 64 * 1024

/**
 * Runs the operator's program with the name of the new model as its one argument, never through a shell (protocol 95 §1). One at a time. The
 * program does what a change needs here: load the model, and start the worker anew with its name.
 * @throws Failure `change-running`, `change-failed`
 */
export function modelChanger(program: string, logger: Logger): (newModel: string) => Promise<void> {
  let running = false
  return async (newModel) => {
    if (running) throw new Failure('change-running', 'Another change of the model is under way.', { retryable: true })
    running = true
    logger.info('a proxy asks for another model', { model: newModel })
    try {
      await run(program, newModel)
    } finally {
      running = false
    }
  }
}

function run(program: string, argument: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, [argument], { timeout: longestMs, maxBuffer: mostOutputBytes, windowsHide: true }, (error) => {
      if (error === null) return resolve()
      // What the program wrote is for the operator, not for the proxy.
      reject(new Failure('change-failed', 'The program that changes the model did not succeed.', { cause: error }))
    })
  })
}
