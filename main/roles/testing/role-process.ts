import { type ChildProcess, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../headless/cli.ts', import.meta.url))

/** Becomes the program behind it. */
const dumping = ['sh', '-c', 'ulimit -c unlimited 2>/dev/null; exec "$0" "$@"']

/** `cocoon-desktop …` from the sources, in a process of its own. */
export class RoleProcess {
  readonly child: ChildProcess
  /** Everything that it wrote. */
  output = ''
  readonly #exited: Promise<number>

  /**
   * @param cacheDir where compiled sources are kept between starts
   * @param dumpsTo where it runs, and may leave core dumps of any size when it crashes (Linux)
   */
  constructor(args: readonly string[], cacheDir?: string, dumpsTo?: string) {
    const [command, ...own] = dumpsTo === undefined || process.platform !== 'linux' ? [] : dumping
    this.child = spawn(
      command ?? process.execPath,
      [...own, ...(command === undefined ? [] : [process.execPath]), cli, ...args],
      {
        ...(dumpsTo === undefined ? {} : { cwd: dumpsTo }),
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...(cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: cacheDir }) },
      },
    )
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    this.#exited = new Promise((resolve) =>
      this.child.once('exit', (code, signal) => resolve(code ?? (signal === null ? -1 : -2))),
    )
  }

  /** Resolves when the output holds `text`; rejects when the process ends or it does not come for `limitMs`: a busy machine needs its time. */
  async says(text: string, limitMs = 100_000): Promise<void> {
    const until = performance.now() + limitMs
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null || performance.now() > until)
        throw new Error(`"${text}" was not said (exit ${this.child.exitCode}):\n${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** The exit code; -2 after a kill. */
  exit(): Promise<number> {
    return this.#exited
  }

  /** @param signal of a crash; by default one that leaves nothing */
  async kill(signal: 'SIGKILL' | 'SIGABRT' | 'SIGSEGV' = 'SIGKILL'): Promise<void> {
    this.child.kill(signal)
    await this.#exited
  }
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
