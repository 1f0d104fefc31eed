import { type ChildProcess, fork, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { roleRuntime } from '../role-runtime.mjs'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Starts one of the bench's own processes; resolves when it listens. */
export async function startHelper(
  name: 'instant-engine' | 'load-generator' | 'idle-workers' | 'bare-hops',
  args: readonly string[] = [],
): Promise<ChildProcess> {
  const child = fork(here(`./${name}.ts`), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
  return child
}

/** Asks a helper and waits for its one answer. */
export function ask<T>(child: ChildProcess, order: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a process of the bench ended with ${code}`))
    child.once('exit', gone)
    child.once('message', (answer) => {
      child.off('exit', gone)
      resolve(answer as T)
    })
    child.send(order)
  })
}

/** A role by the command line, as an operator runs it; resolves when it says that it runs. */
export async function startRole(args: readonly string[], nodeOptions: readonly string[] = []): Promise<ChildProcess> {
  const runtime = roleRuntime(args[0])
  const child = spawn(process.execPath, [...runtime.nodeOptions, ...nodeOptions, here('../../main/headless/cli.ts'), ...args], {
    env: { ...runtime.env, ...process.env },
    stdio: ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'],
  })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('Running.')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`cocoon-desktop ${args[0]} ended with ${code}: ${said}`)))
  })
  return child
}

/** Ends a role in order, so that a profile it writes is complete. */
export async function stopRole(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), 40_000)
  await gone
  clearTimeout(limit)
}

/** CPU time that a process has used, ms of user and system together. Linux counts it in hundredths of a second. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1024
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
