import { spawn } from 'node:child_process'

/** Runs a program that writes lines until it is closed; tests give another. */
export type RunLines = (command: string, args: readonly string[], onLine: (line: string) => void, onEnd: () => void) => () => void

/** Longer than any line of a driver's tool. */
const mostLineLength = 4096

/** Cuts what a program writes into lines. Of a line that is too long, or never ends, nothing is passed on and little is held. */
export class Lines {
  readonly #onLine: (line: string) => void
  #rest = ''
  #isTooLong = false

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** Characters that wait for the end of their line. */
  get held(): number {
    return this.#rest.length
  }

  take(text: string): void {
    const [first = '', ...more] = text.split('\n')
    this.#add(first)
    for (const begin of more) {
      if (!this.#isTooLong) this.#onLine(this.#rest.replace(/\r$/, ''))
      this.#rest = ''
      this.#isTooLong = false
      this.#add(begin)
    }
  }

  #add(text: string): void {
    if (this.#rest.length + text.length > mostLineLength) this.#isTooLong = true
    this.#rest = this.#isTooLong ? '' : this.#rest + text
  }
}

/** Runs the program of the system. `onEnd` comes once, also when it cannot be started. */
export const runLines: RunLines = (command, args, onLine, onEnd) => {
  let over = false
  const end = (): void => {
    if (over) return
    over = true
    onEnd()
  }
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true })
  child.on('error', end)
  child.on('exit', end)
  const lines = new Lines((line) => {
    if (!over) onLine(line)
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.take(text))
  return () => {
    over = true
    child.kill('SIGKILL')
  }
}

export interface KeptOptions {
  readonly run?: RunLines
  readonly command: string
  readonly args: readonly string[]
  readonly onLine: (line: string) => void
  /** Called when it ended, before it is started again. */
  readonly onLost?: () => void
}

const firstPauseMs = 1_000
const longestPauseMs = 60_000

/**
 * Keeps such a program running: one that ends is started again after a pause that doubles each time without a line. One that never wrote a line is
 * given up after a few tries: there is no such tool, or nothing for it to tell.
 */
export function keepRunning({ run = runLines, command, args, onLine, onLost }: KeptOptions): () => void {
  let stop: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let everWrote = false
  let wrote = false
  let fruitless = 0
  const start = (): void => {
    wrote = false
    stop = run(
      command,
      args,
      (line) => {
        wrote = true
        everWrote = true
        onLine(line)
      },
      () => {
        onLost?.()
        fruitless = wrote ? 0 : fruitless + 1
        if (!everWrote && fruitless >= 2) return
        timer = setTimeout(start, Math.min(firstPauseMs * 2 ** fruitless, longestPauseMs))
        timer.unref()
      },
    )
  }
  start()
  return () => {
    clearTimeout(timer)
    stop?.()
  }
}
