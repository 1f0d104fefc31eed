import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canaryBelow, leavesDumpsHere, newCanary, spelledIn } from '../../base/testing/canary.ts'
import { writeChainlessNetwork } from '../../roles/testing/chainless-network.ts'
import { type InstantEngine, instantEngine } from '../../roles/testing/instant-engine.ts'
import { rawGet } from '../../roles/testing/raw-get.ts'
import { freePorts, RoleProcess } from '../../roles/testing/role-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-roles-'))
const ports = ['proxy', '--workers-port', '1', '--clients-port', '1']
const networkFile = join(folder, 'test-net.json')
const dataDir = join(folder, 'data')
/** What a role leaves when it crashes; searched at the end with everything else. */
const dumpsOf = (name: string): string => join(folder, 'dumps', name)
const running: RoleProcess[] = []
let engine: InstantEngine
let workersPort = 0
let clientsPort = 0
let httpPort = 0

function role(name: string, ...args: string[]): RoleProcess {
  mkdirSync(dumpsOf(name), { recursive: true })
  const process_ = new RoleProcess(
    [name, '--network', networkFile, '--data-dir', dataDir, '--verbose', ...args],
    undefined,
    dumpsOf(name),
  )
  running.push(process_)
  return process_
}
const startProxy = (): RoleProcess =>
  role(
    'proxy',
    '--workers-port',
    `${workersPort}`,
    '--clients-port',
    `${clientsPort}`,
    '--host',
    '127.0.0.1',
    '--pow',
    '8',
    '--commit-delay',
    '20',
  )
const startWorker = (): RoleProcess =>
  role('worker', '--engine', engine.url, '--model', 'test/model@commit:hash', '--coefficient', '1000', '--max-active', '8')
const startClient = (): RoleProcess => role('client', '--http', `127.0.0.1:${httpPort}`)

const canary = newCanary()
const url = (path: string): string => `http://127.0.0.1:${httpPort}${path}`

async function ask(
  content: string,
  more: Record<string, unknown> = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url('/v1/chat/completions'), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: 'test/model', messages: [{ role: 'user', content }], ...more }),
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

/** Asks until the network answers: a role that lost its peer tries again every ten seconds. */
async function askUntilAnswered(limitMs = 100_000): Promise<string> {
  const until = Date.now() + limitMs
  for (;;) {
    const answer = await ask('again').catch((error: unknown) => ({ status: 0, text: String(error) }))
    if (answer.status === 200) return answer.text
    if (Date.now() > until) throw new Error(`no answer: ${answer.status} ${answer.text}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

beforeAll(async () => {
  const [first = 0, second = 0, third = 0] = await freePorts(3)
  workersPort = first
  clientsPort = second
  httpPort = third
  engine = await instantEngine()
  writeChainlessNetwork(networkFile, { workers: workersPort, clients: clientsPort })
})

afterAll(async () => {
  await Promise.all(running.map((one) => one.kill()))
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('the three roles as processes, on a network without a chain', () => {
  let proxy: RoleProcess
  let worker: RoleProcess
  let client: RoleProcess

  beforeAll(async () => {
    proxy = startProxy()
    await proxy.says('Running.')
    worker = startWorker()
    await worker.says('Running.')
    client = startClient()
    await client.says('Running.')
    await askUntilAnswered()
  })

  it('answer in one piece, counted, with the times of every hop', async () => {
    const { status, text, headers } = await ask('hello')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({
      choices: [{ message: { content: 'Good day' } }],
      // Adjusted 1:1, at 2 nanoton each.
      usage: { prompt_tokens: 7, completion_tokens: 3, prompt_total_cost: 14, completion_total_cost: 6, total_cost: 20 },
    })
    for (const hop of ['Client', 'Proxy', 'Worker']) {
      const [start, end] = [`X-Cocoon-${hop}-Start`, `X-Cocoon-${hop}-End`].map((name) => Number(headers.get(name)))
      expect(end).toBeGreaterThanOrEqual(start ?? Number.NaN)
    }
  })

  it.each([false, true])(
    'tell and bill nothing of what an engine at an address knew of a prompt, streamed: %s',
    async (stream) => {
      const { text } = await ask('count 12 5 cached 4', { stream })
      const usage = (stream ? text.split('\n\n').at(-3)?.slice('data: '.length) : text) ?? ''
      expect(JSON.parse(usage)).toMatchObject({
        usage: { prompt_tokens: 12, prompt_tokens_details: { cached_tokens: 0 }, prompt_total_cost: 24, total_cost: 34 },
      })
      expect(text).not.toContain('"cached_tokens":4')
    },
  )

  it('stream events as they come, with the usage at the end', async () => {
    const { status, text, headers } = await ask('hello', { stream: true })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toContain('text/event-stream')
    const events = text.split('\n\n').filter((event) => event !== '')
    expect(events).toHaveLength(5)
    expect(events.slice(0, 3).join('')).toMatch(/Good.* .*day/)
    expect(JSON.parse(events[3]?.slice(6) ?? '')).toMatchObject({ usage: { completion_tokens: 3, total_cost: 20 } })
    expect(events[4]).toBe('data: [DONE]')
  })

  it('serve plain completions too', async () => {
    const response = await fetch(url('/v1/completions'), { method: 'POST', body: '{"model":"test/model","prompt":"x"}' })
    expect(response.status).toBe(200)
    expect(JSON.parse(engine.asked.at(-1) ?? '')).toEqual({ model: 'test/model', prompt: 'x', max_tokens: 10_000 })
  })

  it('take the options of the client out of the request', async () => {
    await ask('hello', { max_tokens: 77, max_completion_tokens: 50, max_coefficient: 1500, timeout: 33.5, request_guid: 'g' })
    const { messages, ...rest } = JSON.parse(engine.asked.at(-1) ?? '') as Record<string, unknown>
    expect(messages).toBeDefined()
    // Engines know one name of the limit or the other (protocol 95 §5).
    expect(rest).toEqual({ model: 'test/model', max_completion_tokens: 50, max_tokens: 50 })
  })

  it.each([
    ['an unknown model', { model: 'no/such' }, 400, 621, 'unknown model no/such'],
    ['an option that no worker takes', { tools: [] }, 400, 621, "unknown option 'tools' in request"],
    ['a price below every worker', { max_coefficient: 500 }, 502, 651, 'can run this query with coefficient=1000'],
    ['more tokens than there is money for', { max_tokens: 2_147_483_647 }, 500, 602, 'balance is too low'],
    ['a length that is none', { max_tokens: 1.5 }, 400, 621, "field 'max_tokens' must be positive integer"],
  ])('refuse %s in the words of the network', async (_name, change, status, code, words) => {
    const answer = await ask('x', change)
    const error = JSON.parse(answer.text) as { error: string; error_code: number }
    expect([answer.status, error.error_code]).toEqual([status, code])
    expect(error.error).toContain(words)
  })

  it('give up an engine that stays silent', async () => {
    expect((await ask('wait 2000', { timeout: 0.3 })).status).toBe(504)
  })

  it('refuse what is no request', async () => {
    const broken = await fetch(url('/v1/chat/completions'), { method: 'POST', body: '{nope' })
    expect([broken.status, await broken.json()]).toEqual([
      400,
      { error: 'Internal data: [Error : 621 : failed to parse request: expected json object]', error_code: 621 },
    ])
    const elsewhere = await fetch(url('/v1/embeddings'), { method: 'POST', body: '{"model":"test/model","input":"x"}' })
    expect(await elsewhere.json()).toMatchObject({ error: expect.stringContaining('unsupported method'), error_code: 621 })
  })

  it('list models and tell their state; money needs the access hash', async () => {
    const models = await (await fetch(url('/v1/models'))).json()
    expect(models).toEqual({
      object: 'list',
      data: [
        {
          id: 'test/model',
          object: 'model',
          created: 0,
          owned_by: '?',
          workers: [{ coefficient: 1000, running_requests: 0, max_running_requests: 8 }],
        },
      ],
    })
    const stats = (await (await fetch(url('/jsonstats'))).json()) as Record<string, unknown>
    expect(Object.keys(stats)).toEqual(
      expect.arrayContaining(['status', 'stats', 'wallet', 'localconf', 'root_contract_config', 'proxy_connections', 'proxies']),
    )
    expect(stats.proxy_connections).toEqual([
      { address: `127.0.0.1:${clientsPort}`, is_ready: true, proxy_sc_address: expect.stringMatching(/^EQ/) },
    ])
    expect((await fetch(url('/stats'))).headers.get('content-type')).toContain('text/html')
    expect((await fetch(url('/request/withdraw?proxy=x'))).status).toBe(403)
    const { accessHash } = JSON.parse(readFileSync(join(dataDir, 'roles/test-net/client/keys.json'), 'utf8')) as {
      accessHash: string
    }
    const refused = await fetch(url(`/request/withdraw?proxy=x&access_hash=${accessHash}`))
    expect([refused.status, await refused.text()]).toEqual([503, 'this network has no blockchain\n'])
  })

  it('keep web pages and rebound names out', async () => {
    const page = await fetch(url('/v1/models'), { headers: { Origin: 'https://page.example' } })
    expect(page.status).toBe(403)
    expect(await rawGet(httpPort, '/v1/models', 'rebound.example')).toContain('403')
  })

  it('keep their secrets in files of their own', () => {
    for (const name of ['client', 'worker', 'proxy'])
      expect(statSync(join(dataDir, `roles/test-net/${name}/keys.json`)).mode & 0o777).toBe(0o600)
  })

  it('are told things that no log and no file of them holds afterwards', async () => {
    // The search itself comes last, when they have been killed and drained as well.
    for (const change of [{}, { stream: true }, { tools: [] }, { model: `no/${canary}` }, { max_tokens: 1.5 }])
      await ask(`Say ${canary} twice.`, change)
    await ask(`wait 2000 ${canary}`, { timeout: 0.3 })
    await fetch(url('/v1/chat/completions'), { method: 'POST', body: `{"${canary}` })
    expect(engine.asked.filter((body) => body.includes(canary)).length).toBeGreaterThan(1)
  })

  it('go on after a crash of each: worker, proxy, client', async () => {
    await worker.kill('SIGABRT')
    worker = startWorker()
    expect(await askUntilAnswered()).toContain('Good day')
    await proxy.kill('SIGABRT')
    proxy = startProxy()
    await proxy.says('Running.')
    expect(await askUntilAnswered()).toContain('Good day')
    await client.kill('SIGABRT')
    if (leavesDumpsHere()) for (const name of ['worker', 'proxy', 'client']) expect(readdirSync(dumpsOf(name))).toHaveLength(1)
    client = startClient()
    await client.says('Running.')
    expect(await askUntilAnswered()).toContain('Good day')
  })

  it('drain on SIGTERM: what runs is answered, nothing new is taken, and the exit code is 0', async () => {
    for (const [name, started] of [
      ['client', () => client],
      ['worker', () => worker],
      ['proxy', () => proxy],
    ] as const) {
      const before = engine.asked.length
      const answer = ask('wait 1200')
      while (engine.asked.length === before) await new Promise((resolve) => setTimeout(resolve, 10))
      started().signal('SIGTERM')
      expect([name, (await answer).status]).toEqual([name, 200])
      expect([name, await started().exit()]).toEqual([name, 0])
      if (name === 'client') client = startClient()
      if (name === 'worker') worker = startWorker()
      if (name !== 'proxy') await askUntilAnswered()
    }
  })

  it('have written nothing of what they were told, in any spelling', () => {
    const said = running.map(({ output }) => output).join('\n')
    expect(said).toContain(' debug ')
    expect(spelledIn(Buffer.from(said), canary)).toEqual([])
    const { found, files } = canaryBelow(folder, canary)
    expect(files).toBeGreaterThan(6)
    expect(found).toEqual([])
  })
})

describe('the command line', () => {
  it.each([
    ['an unknown option', ['client', '--nonsense', '1'], 2, 'Usage: cocoon-desktop client'],
    ['a missing network', ['worker', '--model', 'x'], 2, '--network is missing'],
    ['a plain proxy for strangers', [...ports, '--network', 'x', '--plain', '--host', '0.0.0.0'], 2, '--plain'],
    [
      'attested answers by any proxy',
      ['client', '--network', 'x', '--seal', 'attested', '--policy', 'any'],
      2,
      'by --policy tdx',
    ],
    [
      'attested answers on a router’s word',
      ['client', '--network', 'x', '--seal', 'attested', '--proxy-via', '127.0.0.1:1'],
      2,
      'does not go with --proxy-via',
    ],
    [
      'a router elsewhere',
      ['worker', '--network', 'x', '--model', 'x', '--proxy-via', 'router.example:1'],
      2,
      'on this computer',
    ],
    ['a model without a name', ['worker', '--network', 'x', '--model', ''], 2, '1 to 512 bytes'],
    ['a network that does not exist', ['client', '--network', '/no/such/file.json'], 1, 'no network file'],
  ])('refuses %s', async (_name, args, code, words) => {
    const process_ = new RoleProcess(args)
    expect(await process_.exit()).toBe(code)
    expect(process_.output).toContain(words)
  })

  it('looks for models where the app has moved them, and makes no folder where a disk is missing', async () => {
    const moved = join(folder, 'disk', 'models')
    const data = join(folder, 'with-moved-models')
    mkdirSync(data)
    writeFileSync(join(data, 'models-place.json'), JSON.stringify({ version: 1, folder: moved, move: null, leave: null }))
    const worker = role('worker', '--engine', 'builtin', '--model', 'any', '--data-dir', data)
    expect(await worker.exit()).toBe(1)
    expect(worker.output).toContain(`The models were in ${moved}, and that folder is not there.`)
    expect(existsSync(moved)).toBe(false)
  })

  it('refuses a key file that others may read, and holds its folder for itself', async () => {
    const keys = join(folder, 'open-keys.json')
    writeFileSync(keys, '{}')
    chmodSync(keys, 0o644)
    const open = role('client', '--http', '127.0.0.1:0', '--keys', keys, '--data-dir', join(folder, 'other'))
    expect(await open.exit()).toBe(1)
    expect(open.output).toContain('may be read by others')
  })
})
