import { type ChildProcess, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../headless/cli.ts', import.meta.url))

/** `cocoon-desktop …` from the sources, in a process of its own. */
export class RoleProcess {
  readonly child: ChildProcess
  /** Everything that it wrote. */
  output = ''
  readonly #exited: Promise<number>

  /** @param cacheDir where compiled sources are kept between starts */
  constructor(args: readonly string[], cacheDir?: string) {
    this.child = spawn(process.execPath, [cli, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: cacheDir }) },
    })
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

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
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
