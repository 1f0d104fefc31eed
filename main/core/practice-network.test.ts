import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PrivacyLevel, Turn } from '../../preload/api/chat.ts'
import type { EarnState } from '../../preload/api/earn.ts'
import type { WalletState } from '../../preload/api/system.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { type Core, startCore } from '../core.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { openToolChain } from './network-tool/tool-chain.ts'
import { endedTurn, first } from './testing/streamed.ts'

/** One value of a stream that fulfils a condition. */
/** Nothing here is about speed: a machine that does much else at the same time needs its time. */
const busyMs = 200_000
const testMs = 400_000

/** Processes that this one has started, by a part of their command line. */
function childProcesses(entry: string): number[] {
  const read = (pid: string, name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8')
    } catch {
      // It ended meanwhile.
      return ''
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter(
      (pid) =>
        Number(
          read(pid, 'stat')
            .replace(/^.*\) . /s, '')
            .split(' ')[0],
        ) === process.pid,
    )
    .filter((pid) => read(pid, 'cmdline').includes(entry))
    .map(Number)
}

/** Every socket that this process has opened to another end, since the start of the tests. */
const dialled: Socket[] = []
const onSocket = (message: unknown): void => void dialled.push((message as { socket: Socket }).socket)
subscribe('net.client.socket', onSocket)
afterAll(() => unsubscribe('net.client.socket', onSocket))

describe('the whole app on one computer', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-core-'))
  let core: Core
  const start = (): Promise<Core> =>
    startCore({
      dataDir,
      shell: 'browser',
      entries: childEntries(new URL('../core.ts', import.meta.url).href),
      roots: intelRoots,
      logger: silentLogger,
    })
  const within = (ms: number): AbortSignal => AbortSignal.timeout(ms)
  const earn = (holds: (state: EarnState) => boolean): Promise<EarnState> =>
    first(core.handlers.streams['earn.state']({}, within(busyMs)), holds)
  const wallet = (holds: (state: WalletState) => boolean): Promise<WalletState> =>
    first(core.handlers.streams['wallet.state']({}, within(busyMs)), holds)

  async function useTinyModel(): Promise<void> {
    const { id } = await core.handlers.calls['models.addFile']({ path: await tinyGgufFile() })
    await core.handlers.calls['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
    await core.handlers.calls['models.use']({ id })
  }
  const levelReady = (level: PrivacyLevel): Promise<unknown> =>
    first(core.handlers.streams['chat.levels']({}, within(busyMs)), (levels) =>
      levels.some((one) => one.level === level && one.state === 'ready'),
    )

  async function ask(level: PrivacyLevel, text: string): Promise<Turn> {
    const { id } = await core.handlers.calls['chat.create']({ level })
    const { id: turnId } = await core.handlers.calls['chat.send']({ id, text })
    return settled(id, turnId)
  }
  const firstText = (id: string): Promise<unknown> =>
    first(
      core.handlers.streams['chat.conversation']({ id }, within(busyMs)),
      (event) => event.type === 'delta' || (event.type === 'snapshot' && (event.conversation.turns[0]?.answer ?? '') !== ''),
    )
  async function askAndStop(level: PrivacyLevel, text: string): Promise<Turn> {
    const { id } = await core.handlers.calls['chat.create']({ level })
    const { id: turnId } = await core.handlers.calls['chat.send']({ id, text })
    await firstText(id)
    return core.handlers.calls['chat.stop']({ id, turnId })
  }
  const settled = (id: string, turnId: string): Promise<Turn> =>
    endedTurn(core.handlers.streams['chat.conversation']({ id }, within(busyMs)), turnId)

  beforeAll(async () => {
    core = await start()
    await useTinyModel()
    await levelReady('practice')
  }, testMs)
  afterAll(() => core.stop(), testMs)

  it('answers on this computer for free', async () => {
    // A model of random weights never ends by itself, and here nothing limits it but the context.
    const turn = await askAndStop('computer', 'hello')
    expect(turn).toMatchObject({ status: 'stopped', stop: 'ended', level: 'computer' })
    expect(turn.answer.length).toBeGreaterThan(0)
    expect(turn.usage?.cost).toBeUndefined()
    expect((await earn(() => true)).requests).toEqual([])
  })

  it(
    'answers over the network for test coins, to the nano on every screen',
    async () => {
      const turn = await ask('practice', 'hello again')
      expect(turn).toMatchObject({ status: 'done', level: 'practice' })
      const { promptTokens = 0, cachedTokens = 0, completionTokens = 0, adjustedTokens = 0, cost = 0n } = turn.usage ?? {}
      expect(adjustedTokens).toBe(promptTokens - cachedTokens + Math.trunc(cachedTokens / 10) + completionTokens * 8)
      expect(cost).toBe(BigInt(adjustedTokens) * 200_000n)

      const earned = BigInt(adjustedTokens) * 150_000n
      const counted = await earn(({ requests: [request] }) => request?.result === 'answered' && request.earned > 0n)
      expect(counted.requests[0]).toMatchObject({ promptTokens, completionTokens, adjustedTokens, earned })
      const pending = await earn(({ requests: [request] }) => request?.money === 'pending')
      expect(pending).toMatchObject({ pending: earned, settleable: earned, settled: 0n, today: earned })

      const before = await wallet(({ status }) => status === 'ready')
      const payout = await core.handlers.calls['earn.settle']({})
      expect(payout).toEqual({ ownerReceived: earned })
      const after = await earn(({ requests: [request] }) => request?.money === 'settled')
      expect(after.payouts).toMatchObject([{ state: 'settled', adjustedTokens, expected: earned, ownerReceived: earned }])
      expect(after.payouts[0]?.nodeWalletChange).toBeLessThan(0n)
      expect(after).toMatchObject({ pending: 0n, settled: earned, settleable: 0n, lifetime: earned })
      const paid = await wallet(({ transactions }) =>
        transactions.some(({ title, amount }) => title === 'Payout' && amount === earned),
      )
      // Receiving costs a deployed wallet a fee of its own, which its history shows beside the amount.
      const [row] = paid.transactions.filter(({ title }) => title === 'Payout')
      expect((paid.user?.balance ?? 0n) - (before.user?.balance ?? 0n)).toBeLessThanOrEqual(earned - (row?.fee ?? 0n))
      await expect(core.handlers.calls['earn.settle']({})).rejects.toMatchObject({ code: 'nothing-to-settle' })
    },
    testMs,
  )

  it('says before anything is sent that a question is too long for the model', async () => {
    const before = await earn(() => true)
    const turn = await ask('practice', 'word '.repeat(4_000))
    expect(turn).toMatchObject({
      status: 'failed',
      error: { code: 'context-too-small', money: 'You paid nothing.', retryable: false },
    })
    expect(turn.error?.words).toEqual({ code: 'context-too-small', values: { most: 2_048 } })
    // What only the worker can tell is refused by it, and costs nothing either.
    const told = await ask('practice', 'word '.repeat(2_400))
    expect(told).toMatchObject({ status: 'failed', error: { code: 'context-too-small', money: 'You paid nothing.' } })
    const after = await earn(({ failed }) => failed > before.failed)
    expect(after.failed).toBe(before.failed + 1)
    expect(after).toMatchObject({ counted: before.counted, pending: before.pending, settled: before.settled })
  })

  it('stops an answer and pays for what was generated', async () => {
    const turn = await askAndStop('practice', 'tell a long story')
    expect(turn).toMatchObject({ status: 'stopped', stop: 'ended' })
    expect(turn.usage?.promptTokens).toBeGreaterThan(0)
    expect(turn.usage?.completionTokens).toBeLessThan(512)
    expect(turn.usage?.cost).toBe(BigInt(turn.usage?.adjustedTokens ?? -1) * 200_000n)
    const state = await earn(({ requests: [request] }) => request?.result === 'cancelled' && request.earned > 0n)
    expect(state.requests[0]?.adjustedTokens).toBe(turn.usage?.adjustedTokens)
  })

  it(
    'breaks an answer when the socket between client and proxy is cut, and answers again over a new one',
    async () => {
      const { proxies } = await first(
        core.handlers.streams['network.state']({}, within(busyMs)),
        (state) => state.status === 'ready',
      )
      const port = Number(proxies[0]?.clientPort.split(':').at(-1))
      const { id } = await core.handlers.calls['chat.create']({ level: 'practice' })
      const { id: turnId } = await core.handlers.calls['chat.send']({ id, text: 'tell a long story' })
      await firstText(id)
      const links = dialled.filter(({ remotePort, destroyed }) => remotePort === port && !destroyed)
      expect(links.length).toBeGreaterThan(0)
      for (const link of links) link.destroy()
      const turn = await settled(id, turnId)
      expect(turn).toMatchObject({ status: 'failed', error: { code: 'connection-lost' } })
      // Generation ended with the connection, so it is not served to its end unseen.
      const { requests } = await earn(({ requests: [request] }) => request?.result !== 'answering')
      expect(requests[0]?.completionTokens).toBeLessThan(512)
      await levelReady('practice')
      expect(await askAndStop('practice', 'and now')).toMatchObject({ status: 'stopped', stop: 'ended' })
    },
    testMs,
  )

  it(
    'keeps a pause, the chats and the money over a restart',
    async () => {
      await core.handlers.calls['earn.pause']({})
      const chats = await first(core.handlers.streams['chat.list']({}, within(busyMs)), () => true)
      const { lifetime, counted } = await earn(() => true)
      await core.stop()
      core = await start()
      const again = await first(core.handlers.streams['chat.list']({}, within(busyMs)), () => true)
      expect(again).toEqual(chats)
      const state = await earn(({ status }) => status === 'paused')
      expect(state.lifetime + state.counted).toBe(lifetime + counted)
      await core.handlers.calls['earn.resume']({})
      await levelReady('practice')
      expect(await askAndStop('practice', 'and now')).toMatchObject({ status: 'stopped', stop: 'ended' })
    },
    testMs,
  )

  it.skipIf(!existsSync('/proc/self/stat'))(
    'answers a question that is asked again right after the engine was killed, and lets go of it at once when it is stopped',
    async () => {
      const used = async (): Promise<bigint> => (await wallet(({ chat }) => chat !== undefined)).chat?.used ?? -1n
      // Everything before is signed, so both sides have been told of it.
      await earn(
        ({ counted, requests }) => counted === 0n && requests.every(({ result, earned }) => result === 'failed' || earned > 0n),
      )
      const before = await used()
      let paid = 0n
      for (const stopped of [false, true]) {
        const { id } = await core.handlers.calls['chat.create']({ level: 'practice' })
        const { id: turnId } = await core.handlers.calls['chat.send']({ id, text: 'tell a long story' })
        await firstText(id)
        const [engine] = childProcesses('engine-process')
        if (engine === undefined) throw new Error('There is no engine process.')
        process.kill(engine, 'SIGKILL')
        expect(await settled(id, turnId)).toMatchObject({
          status: 'failed',
          error: { money: 'You paid nothing.', retryable: true },
        })
        await core.handlers.calls['chat.retry']({ id, turnId })
        if (!stopped) await firstText(id)
        const turn = await core.handlers.calls['chat.stop']({ id, turnId })
        expect(turn).toMatchObject({ status: 'stopped', stop: 'ended' })
        expect(turn.usage?.completionTokens === 0).toBe(stopped)
        paid += turn.usage?.cost ?? 0n
        expect(childProcesses('engine-process')).not.toContain(engine)
      }
      await levelReady('practice')
      const more = await askAndStop('practice', 'and once more')
      expect(more).toMatchObject({ status: 'stopped', stop: 'ended' })
      paid += more.usage?.cost ?? 0n
      await wallet(({ chat }) => chat?.used === before + paid)
    },
    testMs,
  )

  it(
    'loses nothing with the book of the proxy: nobody is served for free, and nobody pays or is paid twice',
    async () => {
      await askAndStop('practice', 'one more before the loss')
      const { lifetime, counted, settled: paid } = await earn(({ requests: [request] }) => (request?.earned ?? 0n) > 0n)
      const earned = lifetime + counted
      const { chat: account } = await wallet(({ chat }) => chat !== undefined)
      await core.stop()
      for (const name of readdirSync(dataDir)) if (name.startsWith('proxy.db')) rmSync(join(dataDir, name))
      core = await start()
      await levelReady('practice')
      expect(readdirSync(dataDir).filter((name) => name.includes('.aside-'))).toEqual([])
      const { chat } = await wallet(({ chat }) => chat !== undefined)
      expect(chat?.used).toBe(account?.used)
      // All of it is signed again, to the nano.
      await earn(({ counted, lifetime }) => counted === 0n && lifetime === earned)

      const turn = await askAndStop('practice', 'and after it')
      const { cost = 0n, adjustedTokens = 0 } = turn.usage ?? {}
      await wallet(({ chat }) => chat?.used === (account?.used ?? 0n) + cost)
      const all = earned + BigInt(adjustedTokens) * 150_000n
      await earn(({ counted, lifetime }) => counted === 0n && lifetime === all)
      const payout = await core.handlers.calls['earn.settle']({})
      expect(payout).toEqual({ ownerReceived: all - paid })
      expect(await earn(({ pending }) => pending === 0n)).toMatchObject({ settled: all, lifetime: all })
    },
    testMs,
  )

  it(
    'sets every book of a lost chain aside, also when the command line made the new chain',
    async () => {
      await core.stop()
      rmSync(join(dataDir, 'chain'), { recursive: true })
      const entries = childEntries(new URL('../core.ts', import.meta.url).href)
      await (await openToolChain({ on: 'local', dataDir, entries, logger: silentLogger })).close()
      core = await start()
      await levelReady('practice')
      const aside = readdirSync(dataDir).filter((name) => name.includes('.aside-'))
      expect(aside.map((name) => name.split('.')[0]).sort()).toEqual(['client', 'earnings', 'proxy', 'worker'])
      expect(await earn(() => true)).toMatchObject({ lifetime: 0n, counted: 0n })
      const turn = await askAndStop('practice', 'the first on the new chain')
      await wallet(({ chat }) => chat !== undefined && chat.used === turn.usage?.cost)
    },
    testMs,
  )
})
