import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { processFacts } from './process-sockets.ts'

/** A child of this process that runs a piece of code and then says so. */
async function child(code: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'child-'))
  const script = join(folder, 'child.mjs')
  writeFileSync(script, `${code}\n`)
  const started = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  onTestFinished(() => {
    started.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  await new Promise((resolve) => started.once('message', resolve))
  return started.pid ?? 0
}

describe.runIf(process.platform === 'linux')('what the system tells of a process', () => {
  it('is its parent, and no internet socket where it holds none', async () => {
    expect(await processFacts(await child("process.send('ready'); setInterval(() => {}, 1000)"))).toEqual({
      parent: process.pid,
      internetSockets: 0,
    })
  })

  it.each([
    [
      'a port that it listens on',
      "import net from 'node:net'; net.createServer().listen(0, '127.0.0.1', () => process.send('ready'))",
    ],
    ['the same over IPv6', "import net from 'node:net'; net.createServer().listen(0, '::1', () => process.send('ready'))"],
    [
      'a UDP socket',
      "import dgram from 'node:dgram'; dgram.createSocket('udp4').bind(0, '127.0.0.1', () => process.send('ready'))",
    ],
    [
      'a port of a process that it started itself',
      `import { spawn } from 'node:child_process'
       const code = "require('node:net').createServer().listen(0, '127.0.0.1', () => console.log('ready')); process.stdin.on('end', () => process.exit()).resume()"
       spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'ignore'] }).stdout.once('data', () => process.send('ready'))`,
    ],
  ])('is %s', async (_, code) => {
    expect((await processFacts(await child(code)))?.internetSockets).toBeGreaterThan(0)
  })
})

describe('a process that nothing is told of', () => {
  it('is unknown, not fine', async () => {
    expect(await processFacts(2 ** 30)).toBeNull()
    const proc = mkdtempSync(join(tmpdir(), 'proc-'))
    onTestFinished(() => rmSync(proc, { recursive: true }))
    mkdirSync(join(proc, '7', 'fd'), { recursive: true })
    writeFileSync(join(proc, '7', 'stat'), '7 (name) with ) S 1 7 7')
    symlinkSync('socket:[99]', join(proc, '7', 'fd', '3'))
    // Its sockets cannot be told from others without the table.
    expect(await processFacts(7, proc)).toBeNull()
    mkdirSync(join(proc, '7', 'net'))
    writeFileSync(join(proc, '7', 'net', 'tcp'), '  sl  local\n   0: 0100007F:0050 0 0A 0:0 0:0 0 0 0 99 1\n')
    expect(await processFacts(7, proc)).toEqual({ parent: 1, internetSockets: 1 })
    // Of another kind, or not connected yet: it stands in no table, and the system has one of those that lead nowhere.
    writeFileSync(join(proc, '7', 'net', 'tcp'), '  sl  local\n')
    const unix = (...inodes: number[]): void =>
      writeFileSync(join(proc, '7', 'net', 'unix'), ['Num RefCount', ...inodes.map((one) => `0: 3 0 0 1 3 ${one}`)].join('\n'))
    unix(98)
    expect(await processFacts(7, proc)).toEqual({ parent: 1, internetSockets: 1 })
    unix(98, 99)
    expect(await processFacts(7, proc)).toEqual({ parent: 1, internetSockets: 0 })
  })
})
