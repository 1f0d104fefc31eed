import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeChainlessNetwork } from '../../roles/testing/chainless-network.ts'
import { type InstantEngine, instantEngine } from '../../roles/testing/instant-engine.ts'
import { freePorts, RoleProcess } from '../../roles/testing/role-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-routers-'))
const networkFile = join(folder, 'net.json')
const running: RoleProcess[] = []
let engine: InstantEngine
let ports: Record<'workersIn' | 'clientsIn' | 'workers' | 'clients' | 'out' | 'http', number>

async function start(name: string, ...args: string[]): Promise<RoleProcess> {
  const role = name === 'router' ? [] : ['--network', networkFile, '--data-dir', join(folder, 'data')]
  const started = new RoleProcess([name, ...role, ...args])
  running.push(started)
  await started.says('Running.', 60_000)
  return started
}

async function ask(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ports.http}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'test/model', messages: [{ role: 'user', content: 'hello' }] }),
    signal: AbortSignal.timeout(60_000),
  })
  return `${response.status} ${await response.text()}`
}

async function askUntilAnswered(limitMs = 100_000): Promise<string> {
  const until = Date.now() + limitMs
  for (;;) {
    const answer = await ask().catch(String)
    if (answer.startsWith('200') || Date.now() > until) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

beforeAll(async () => {
  const [workersIn = 0, clientsIn = 0, workers = 0, clients = 0, out = 0, http = 0] = await freePorts(6)
  ports = { workersIn, clientsIn, workers, clients, out, http }
  engine = await instantEngine()
  writeChainlessNetwork(networkFile, { workers: workersIn, clients: clientsIn })
})

afterAll(async () => {
  await Promise.all(running.map((one) => one.kill()))
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('client, worker and proxy, each behind a router, all as processes', () => {
  it('answer; a killed router is noticed at once, another stops in order', async () => {
    const workersIn = ['-R', `${ports.workersIn}:127.0.0.1:${ports.workers}@fake_tdx`]
    const clientsIn = ['-R', `${ports.clientsIn}:127.0.0.1:${ports.clients}@any`]
    const proxyPorts = ['--workers-port', `${ports.workers}`, '--clients-port', `${ports.clients}`]
    const [inner, outer] = await Promise.all([
      start('router', ...workersIn, ...clientsIn, '--host', '127.0.0.1', '--pow', '8', '--fake-quote'),
      start('router', '-S', `${ports.out}@fake_tdx`, '--fake-quote'),
      start('proxy', ...proxyPorts, '--behind-router', '--commit-delay', '20'),
    ])
    const via = ['--proxy-via', `127.0.0.1:${ports.out}`]
    await Promise.all([
      start('worker', '--engine', engine.url, '--model', 'test/model', ...via),
      start('client', '--http', `127.0.0.1:${ports.http}`, ...via),
    ])
    expect(await askUntilAnswered()).toContain('Good day')
    expect(inner.output).toContain('attestation=fake_tdx')

    await outer.kill()
    // Both roles lost their proxy at once: the client says so instead of waiting.
    expect(await ask()).toMatch(/^50[23] /)
    inner.signal('SIGTERM')
    expect(await inner.exit()).toBe(0)
  })
})
