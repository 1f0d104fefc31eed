import { createServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { EngineEvent } from '../inference/engine.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { openDatabase } from '../storage/database.ts'
import { deviceMigrations } from './device-book.ts'
import type { HostState } from './link-messages.ts'
import { deviceTls, linkProtocol, pairingProtocol } from './peer-key.ts'
import { linkUp, newIdentity, newInstall, pairInstalls, type StagedInstall, soon, tinyModel } from './testing/stage.ts'

const never = new AbortController().signal
const question = [{ role: 'user', content: 'CANARY good morning?' }] as const

const linkOf = ({ devices }: StagedInstall) => devices.chosen.value?.link ?? expect.fail('no computer is chosen')
const failureOf = (install: StagedInstall): string | undefined => {
  const state = linkOf(install).state.value
  return state.status === 'connecting' ? state.failure?.code : undefined
}

/** Resolves once the link says so, for however short a time. */
const failing = (install: StagedInstall, code: string): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (failureOf(install) !== code) return
      forget()
      resolve()
    }
    const forget = linkOf(install).state.onChange(look)
    look()
  })

async function pairedInstalls(hostOptions: Parameters<typeof newInstall>[1] = {}, guestOptions: typeof hostOptions = {}) {
  const host = await newInstall('Gaming PC', hostOptions)
  const guest = await newInstall('Laptop', guestOptions)
  await pairInstalls(host, guest)
  await linkUp(guest)
  return { host, guest }
}

async function ask(install: StagedInstall, signal: AbortSignal = never, options = {}): Promise<EngineEvent[]> {
  const events: EngineEvent[] = []
  for await (const event of linkOf(install).ask(question, options, signal)) events.push(event)
  return events
}

const codeOf = (thrown: unknown): string => (thrown instanceof Failure ? thrown.code : String(thrown))

describe('the link of two paired installs', () => {
  it('tells what the host can do, and each change of it', async () => {
    const { host, guest } = await pairedInstalls()
    expect(linkOf(guest).state.value).toMatchObject({ status: 'up', host: { engine: 'ready', model: tinyModel } })
    host.engine.state.set({ engine: 'starting', models: [] })
    await soon(() => expect(linkOf(guest).state.value).toMatchObject({ host: { engine: 'starting', models: [] } }))
    expect(host.devices.book.devices.value[0]?.lastSeenMs).toBeGreaterThan(0)
    expect([...host.devices.connected.value.values()]).toEqual([1])
  })

  it('carries a question and its answer in parts, with the counts, in the lane of the device', async () => {
    const { host, guest } = await pairedInstalls()
    const events = await ask(guest, never, { maxTokens: 9_999_9, temperature: 0.5 }).catch(codeOf)
    expect(events).toMatch(/device-/)
    expect(await ask(guest, never, { maxTokens: 60_000, temperature: 0.5 })).toEqual([
      { type: 'text', text: 'Good', tokens: 1 },
      { type: 'text', text: ' morning', tokens: 1 },
      { type: 'text', text: '.', tokens: 1 },
      { type: 'done', reason: 'stop', usage: { promptTokens: 5, cachedTokens: 0, completionTokens: 4, reasoningTokens: 0 } },
    ])
    const [asked] = host.engine.asked
    expect(asked?.messages).toEqual(question)
    // The host caps what a guest may take.
    expect(asked?.options).toEqual({ maxTokens: 4_096, temperature: 0.5, lane: expect.stringMatching(/^device guest-/) })
  })

  it('a stop on one side ends the generation on the other', async () => {
    const { host, guest } = await pairedInstalls()
    host.engine.endless = true
    const control = new AbortController()
    const events: EngineEvent[] = []
    for await (const event of linkOf(guest).ask(question, {}, control.signal)) {
      events.push(event)
      if (events.length === 3) control.abort()
    }
    expect(events.at(-1)).toEqual({
      type: 'done',
      reason: 'cancelled',
      usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 3, reasoningTokens: 0 },
    })
    await soon(() => expect(host.engine).toMatchObject({ ended: 1, running: 0 }))
  })

  it('a removed device is cut off at once, hears why, and sends nothing any more', async () => {
    const { host, guest } = await pairedInstalls()
    host.engine.endless = true
    const running = ask(guest).catch(codeOf)
    await soon(() => expect(host.engine.running).toBe(1))
    host.devices.remove(host.devices.book.devices.value[0]?.id ?? '')
    expect(await running).toBe('device-removed')
    await soon(() => expect(host.engine).toMatchObject({ ended: 1, running: 0 }))
    await soon(() => expect(failureOf(guest)).toBe('device-removed'))
    expect(await ask(guest).catch(codeOf)).toBe('device-removed')
    expect(host.engine.asked).toHaveLength(1)
    expect(host.devices.connected.value.size).toBe(0)
    // Paired anew by its words, it is served again.
    host.engine.endless = false
    await pairInstalls(host, guest)
    await linkUp(guest)
    expect(await ask(guest)).toHaveLength(4)
  })

  it('a device that was never paired is refused before it has said a word', async () => {
    const { host, guest } = await pairedInstalls()
    const stranger = await newInstall('Stranger')
    const known = guest.devices.book.devices.value[0] ?? expect.fail()
    const { id } = stranger.devices.book.pair({ role: 'host', key: known.key, name: 'Gaming PC', addresses: known.addresses })
    stranger.devices.choose(id)
    await soon(() => expect(failureOf(stranger)).toBe('device-unknown'))
    expect(await ask(stranger).catch(codeOf)).toBe('device-unknown')
    expect(host.engine.asked).toEqual([])
  })

  it('another computer at the address of the host gets no byte', async () => {
    const { host, guest } = await pairedInstalls()
    const { port } = host.devices.book.own.value
    await host.devices.stop()
    let received = 0
    const other = createServer({ ...deviceTls(await newIdentity()), ALPNProtocols: [linkProtocol] }, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => {
        received += bytes.length
      })
      const welcome = Buffer.from(JSON.stringify({ t: 'welcome', name: 'Gaming PC', addresses: [] }))
      const header = Buffer.alloc(4)
      header.writeUInt32BE(welcome.length)
      socket.write(Buffer.concat([header, welcome]))
    })
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', () => resolve()))
    onTestFinished(() => void other.close())
    linkOf(guest).retry()
    await soon(() => expect(failureOf(guest)).toBe('device-other-key'))
    expect(await ask(guest).catch(codeOf)).toBe('device-other-key')
    expect(received).toBe(0)
  })

  it('comes back by itself when the host does', async () => {
    const { host, guest } = await pairedInstalls()
    await host.devices.stop()
    await soon(() => expect(linkOf(guest).state.value.status).toBe('connecting'))
    expect(await ask(guest).catch(codeOf)).toMatch(/device-unreachable|device-silent/)
    await newInstall('Gaming PC', {}, host.folder)
    await linkUp(guest)
    expect(await ask(guest)).toHaveLength(4)
  })

  it('agrees on new keys when the old ones get old, and does not count that as a failure', async () => {
    const states: string[] = []
    const { guest } = await pairedInstalls({}, { linkTimes: { dialMs: 2_000, longestPauseMs: 50, oldestMs: 300 } })
    linkOf(guest).state.onChange((state) =>
      states.push(state.status === 'up' ? state.connection : (state.status === 'connecting' && state.failure?.code) || ''),
    )
    await soon(() => expect(new Set(states.filter((state) => state.startsWith('host-'))).size).toBeGreaterThanOrEqual(2))
    expect(states.filter((state) => state.startsWith('device-'))).toEqual([])
  })

  it('the host ends a connection that is too old, and one whose guest fell silent', async () => {
    const { guest } = await pairedInstalls({ limits: { oldestMs: 400 } })
    await failing(guest, 'device-silent')
    const silent = await pairedInstalls(
      { limits: { silenceMs: 300 } },
      { linkTimes: { dialMs: 2_000, longestPauseMs: 400, aliveMs: 60_000 } },
    )
    await failing(silent.guest, 'device-silent')
    const alive = await pairedInstalls({ limits: { silenceMs: 3_000 } }, { linkTimes: { aliveMs: 100 } })
    const before = linkOf(alive.guest).state.value
    await new Promise((resolve) => setTimeout(resolve, 4_500))
    expect(linkOf(alive.guest).state.value).toBe(before)
  })

  it('a host that says nothing while it answers is given up; one that says it is there is waited for', async () => {
    const quiet = await pairedInstalls({ limits: { aliveMs: 60_000 } }, { linkTimes: { silenceMs: 400 } })
    quiet.host.engine.endless = true
    expect(await ask(quiet.guest).catch(codeOf)).toBe('device-silent')
    await soon(() => expect(quiet.host.engine).toMatchObject({ ended: 1, running: 0 }))

    const there = await pairedInstalls({ limits: { aliveMs: 100 } }, { linkTimes: { silenceMs: 3_000 } })
    there.host.engine.endless = true
    const control = new AbortController()
    setTimeout(() => control.abort(), 4_500)
    expect((await ask(there.guest, control.signal)).at(-1)).toMatchObject({ type: 'done', reason: 'cancelled' })
  })

  it('a conversation that is too long for a frame is told as one that is too long for the model, and is not sent', async () => {
    const { host, guest } = await pairedInstalls()
    const told = (messages: Parameters<ReturnType<typeof linkOf>['ask']>[0]) =>
      linkOf(guest).ask(messages, {}, never).next().catch(codeOf)
    expect(await told([{ role: 'user', content: 'x'.repeat(2 * 1024 * 1024) }])).toBe('context-too-small')
    expect(await told(Array.from({ length: 2_001 }, () => question[0]))).toBe('context-too-small')
    expect(host.engine.asked).toEqual([])
    expect(await told(Array.from({ length: 2_000 }, () => question[0]))).toMatchObject({ value: { text: 'Good' } })
  })

  it('a host that sends more than was asked for is given up', async () => {
    const { host, guest } = await pairedInstalls()
    host.engine.words = Array.from({ length: 11 }, () => 'x'.repeat(64))
    expect(await ask(guest, never, { maxTokens: 11 })).toHaveLength(12)
    expect(await ask(guest, never, { maxTokens: 10 }).catch(codeOf)).toBe('device-malformed')
  })

  it('answers only so many questions of one device at once', async () => {
    const { host, guest } = await pairedInstalls()
    host.engine.endless = true
    const control = new AbortController()
    const running = [ask(guest, control.signal), ask(guest, control.signal)]
    await soon(() => expect(host.engine.running).toBe(2))
    expect(await ask(guest).catch(codeOf)).toBe('device-busy')
    expect(host.engine.asked).toHaveLength(2)
    control.abort()
    await Promise.all(running)
    await soon(() => expect(host.engine.running).toBe(0))
    host.engine.endless = false
    expect(await ask(guest)).toHaveLength(4)
  })

  it.each([
    ['context-too-small', 'context-too-small'],
    ['engine-crashed', 'device-engine'],
    ['a secret sentence', 'device-engine'],
  ])("tells the engine's failure by code, in this computer's own words: %s", async (code, told) => {
    const { host, guest } = await pairedInstalls()
    host.engine.fails = new Failure(code, 'CANARY in a sentence of the host')
    const failure = await ask(guest).catch((thrown: unknown) => thrown)
    expect(codeOf(failure)).toBe(told)
    expect(String(failure)).not.toContain('CANARY')
    expect(host.log.join('\n')).not.toContain('CANARY')
  })

  it('does not listen any more when sharing ends, nor after a restart with sharing off', async () => {
    const { host, guest } = await pairedInstalls()
    await host.devices.setSharing(false)
    expect(host.devices.addresses.value).toEqual([])
    await soon(() => expect(failureOf(guest)).toMatch(/device-unreachable|device-silent/))
    await host.devices.stop()
    const again = await newInstall('Gaming PC', {}, host.folder)
    expect(again.devices.addresses.value).toEqual([])
    expect(await ask(guest).catch(codeOf)).toBe('device-unreachable')
  })

  it('pairing and asking keep apart: the protocol of one is no way into the other', async () => {
    const { guest } = await pairedInstalls()
    expect(linkProtocol).not.toBe(pairingProtocol)
    guest.devices.join(guest.devices.book.devices.value[0]?.addresses[0] ?? '', 'abandon ability able about above absent')
    await soon(() =>
      expect(guest.devices.desk.state.value.outcome).toMatchObject({ result: 'failed', failure: { code: 'pairing-used' } }),
    )
  })
})

describe('a disk without room', () => {
  /** Nothing can be written to the book until the returned function is called. */
  function fill({ folder }: StagedInstall): () => void {
    const raw = openDatabase(`${folder}/devices.db`, deviceMigrations, { logger: silentLogger })
    for (const table of ['own', 'device'])
      raw.exec(`CREATE TRIGGER full_${table} BEFORE INSERT ON ${table} BEGIN SELECT RAISE(FAIL, 'no room'); END`)
    onTestFinished(() => raw.close())
    return () => ['own', 'device'].map((table) => raw.exec(`DROP TRIGGER full_${table}`))
  }

  it('does not leave a port open while sharing is said to be off', async () => {
    const host = await newInstall('Gaming PC')
    await host.devices.setSharing(true)
    const { port } = host.devices.book.own.value
    await host.devices.setSharing(false)
    // Once with a port that is known already, once with one that is to be kept.
    for (const install of [host, await newInstall('Other')]) {
      const free = fill(install)
      await expect(install.devices.setSharing(true)).rejects.toThrow()
      expect(install.devices.book.own.value.sharing).toBe(false)
      expect(install.devices.addresses.value).toEqual([])
      free()
    }
    const guest = await newInstall('Laptop')
    guest.devices.join(`127.0.0.1:${port}`, 'abandon ability able about above absent')
    await soon(() => expect(guest.devices.desk.state.value.outcome).toMatchObject({ failure: { code: 'device-unreachable' } }))
  })

  it('sharing is off when it was switched off', async () => {
    const { host } = await pairedInstalls()
    fill(host)
    await expect(host.devices.setSharing(false)).rejects.toThrow()
    expect(host.devices.book.own.value.sharing).toBe(false)
    expect(host.devices.addresses.value).toEqual([])
  })

  it('a removed device is cut off all the same, and its removal is kept as soon as there is room', async () => {
    const { host, guest } = await pairedInstalls()
    const other = await newInstall('Phone')
    await pairInstalls(host, other)
    await linkUp(other)
    host.engine.endless = true
    const running = ask(guest).catch(codeOf)
    await soon(() => expect(host.engine.running).toBe(1))
    const free = fill(host)
    const removed = host.devices.book.devices.value.find(({ name }) => name === 'Laptop')?.id ?? ''
    expect(() => host.devices.remove(removed)).toThrow()
    expect(await running).toBe('device-removed')
    expect(await ask(guest).catch(codeOf)).toBe('device-removed')
    // The others are served as before.
    host.engine.endless = false
    expect(await ask(other)).toHaveLength(4)
    free()
    expect(await ask(other)).toHaveLength(4)
    await host.devices.stop()
    const again = await newInstall('Gaming PC', {}, host.folder)
    expect(again.devices.book.devices.value.find(({ id }) => id === removed)?.removedAtMs).toBeGreaterThan(0)
  })
})

describe('the link to a real engine', () => {
  const entryPath = fileURLToPath(new URL('../inference/engine-process.ts', import.meta.url))
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, sequences: 2, background: false, restartPauseMs: 20 })
  beforeAll(async () => engine.load({ path: await tinyGgufFile(), name: 'tiny' }))
  afterAll(() => engine.dispose())

  it('streams, counts, stops and refuses as the engine does', async () => {
    const state = new Signal<HostState>({ engine: 'ready', model: tinyModel, models: [] })
    const chat = engine.chat.bind(engine)
    const { guest } = await pairedInstalls({ engine: { state, chat } })
    const link = linkOf(guest)
    let text = ''
    let last: EngineEvent | undefined
    for await (const event of link.ask(question, { maxTokens: 40, seed: 1 }, never)) {
      if (event.type === 'text') text += event.text
      last = event
    }
    expect(text.length).toBeGreaterThan(0)
    expect(last).toMatchObject({ type: 'done', reason: 'length', usage: { completionTokens: 40 } })

    const control = new AbortController()
    let parts = 0
    for await (const event of link.ask(question, { maxTokens: 1_500, seed: 1 }, control.signal))
      if (event.type === 'text' && ++parts === 2) control.abort()
    // Both places of the engine are free again: a stopped answer holds none.
    await Promise.all([1, 2].map(async () => expect((await ask(guest, never, { maxTokens: 5 })).at(-1)?.type).toBe('done')))

    const long = [{ role: 'user', content: 'c '.repeat(3_000) }] as const
    const refused = await link.ask(long, {}, never).next().catch(codeOf)
    expect(refused).toBe('context-too-small')
  })
})
