import { pause } from '../../base/pause.ts'
import { KillScene, type RoleName, roleNames } from './kill-scene.ts'
import { type Asked, Load } from './load.ts'
import { seeded } from './random.ts'

export interface KillLoopOptions {
  readonly kills: number
  readonly seed: number
  readonly inFlight: number
}

export interface KillReport {
  /** Every promise that was broken; empty when all is well. */
  readonly broken: readonly string[]
  readonly journal: readonly string[]
  readonly asked: number
  readonly whole: number
  readonly refusals: Readonly<Record<string, number>>
  readonly kills: Readonly<Record<RoleName, number>>
  /** Adjusted tokens in the proxy's book at the end. */
  readonly charged: bigint
  /** Of answers that came whole but were not yet on the proxy's disk when it was killed: charged to nobody, at most this much. */
  readonly unsigned: bigint
  /** Of requests that were cut off by the death of the client itself: charged at most this much. */
  readonly abandoned: bigint
  readonly tookMs: number
}

/** A commit gathers for 100 ms; the rest is for a busy machine between the booking and its commit. */
const commitWindowMs = 1_000
const recoverLimitMs = 90_000

interface Kill {
  readonly role: RoleName
  readonly atMs: number
  /** When it was started again. */
  againMs: number
}

/** Kills roles at random moments under load, and compares all books. */
export async function killLoop(options: KillLoopOptions): Promise<KillReport> {
  const startedMs = Date.now()
  const random = seeded(options.seed)
  const journal: string[] = []
  const note = (line: string): void => {
    journal.push(`${((Date.now() - startedMs) / 1000).toFixed(2)} ${line}`)
    if (process.env.KILL_LIVE !== undefined) process.stderr.write(`${journal.at(-1)}\n`)
  }
  const broken: string[] = []
  const scene = await KillScene.open()
  const kills: Kill[] = []
  const settling = new AbortController()
  let load: Load | undefined
  try {
    note('the chain stands')
    for (const role of roleNames) scene.start(role)
    for (const role of roleNames) {
      await scene.up(role)
      note(`${role} is up`)
    }
    load = new Load({
      url: scene.clientUrl,
      model: scene.model,
      inFlight: options.inFlight,
      random: seeded(options.seed + 1),
      multipliers: { prompt: 1, completion: 8 },
    })
    const running = load
    await running.answeredSince(startedMs, recoverLimitMs)
    note('all roles serve')
    const keepers = [keepSettling(scene, settling.signal), keepWatching(scene, broken, settling.signal)]

    while (kills.length < options.kills) {
      const role = nextRole(kills, random)
      const lull = random() < 0.25
      await pause(100 + random() * 1_000)
      if (lull) {
        await running.pause()
        await pause(commitWindowMs)
        note(`lull after ${running.asked.length} requests`)
        expectBetween(bounds(running.asked, kills), scene.proxyBook().client?.tokens ?? 0n, 'in a lull', broken)
      }
      await kill(scene, role, kills, note)
      if (role === 'proxy') await checkPromises(scene, broken)
      await pause(random() * 400)
      const killed = kills.at(-1)
      if (killed !== undefined) killed.againMs = Date.now()
      scene.start(role)
      running.resume()
      // Sometimes the next one dies while this one is still starting.
      if (random() < 0.2) continue
      await recovered(scene, running)
      note('serves again')
      if (process.env.KILL_LIVE !== undefined)
        for (const name of roleNames) process.stderr.write(`--${name}\n${scene.output(name).slice(-1400)}\n`)
    }
    await recovered(scene, running)
    await running.end()
    note(`drained after ${running.asked.length} requests`)
    await settledWholly(scene)
    settling.abort()
    await Promise.all(keepers)
    await compareBooks(scene, running, kills, broken)
    const codes = await scene.stopAll()
    if (codes.some((code) => code !== 0)) broken.push(`exit codes after an ordered stop: ${codes}`)
    return report(scene, running, kills, { broken, journal, tookMs: Date.now() - startedMs })
  } catch (thrown) {
    for (const role of roleNames) note(`${role} said at the end:\n${scene.output(role).slice(-1_500)}`)
    throw new Error(`seed ${options.seed}: ${String(thrown)}\n${[...broken, ...journal].join('\n')}`, { cause: thrown })
  } finally {
    settling.abort()
    void load?.end()
    await scene.close()
  }
}

/** Each role comes up again and again; which one is next is random. */
function nextRole(kills: readonly Kill[], random: () => number): RoleName {
  const fewest = Math.min(...roleNames.map((role) => kills.filter((one) => one.role === role).length))
  const due = roleNames.filter((role) => kills.filter((one) => one.role === role).length <= fewest + 1)
  return due[Math.floor(random() * due.length)] ?? 'proxy'
}

async function kill(scene: KillScene, role: RoleName, kills: Kill[], note: (line: string) => void): Promise<void> {
  const atMs = Date.now()
  await scene.kill(role)
  kills.push({ role, atMs, againMs: Number.POSITIVE_INFINITY })
  note(`kill ${kills.length}: ${role}`)
}

async function recovered(scene: KillScene, load: Load): Promise<void> {
  for (const role of roleNames) await scene.up(role)
  await load.answeredSince(Date.now(), recoverLimitMs)
}

async function keepSettling(scene: KillScene, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await scene.settle()
    await pause(1_000, signal)
  }
}

/** The proxy is dead: whatever its peers hold of it must be in the book that it left. */
async function checkPromises(scene: KillScene, broken: string[]): Promise<void> {
  // What it had sent is still on its way through the sockets of this computer.
  await pause(250)
  const { client, worker } = scene.proxyBook(true)
  const check = (what: string, told: bigint | undefined, kept: bigint | undefined): void => {
    if ((told ?? 0n) > (kept ?? 0n)) broken.push(`${what}: told ${told}, on the disk of the dead proxy ${kept}`)
  }
  const [clientBook, workerBook] = [scene.clientBook(), scene.workerBook()]
  check("client's total", clientBook?.max, client?.tokens)
  check("client's stored total", clientBook?.db, client?.tokens)
  check("client's signed payment", clientBook?.signed, client?.chain)
  check("worker's total", workerBook?.max, worker?.tokens)
  check("worker's stored total", workerBook?.db, worker?.tokens)
  check("worker's signed payment", workerBook?.signed, worker?.chain)
  if (client?.tokens !== worker?.tokens) broken.push(`client owes ${client?.tokens}, worker has earned ${worker?.tokens}`)
}

/** No contract ever settles more than was final when it was signed: the book is read after the chain, and it never falls. */
async function keepWatching(scene: KillScene, broken: string[], signal: AbortSignal): Promise<void> {
  let [charged, paid] = [0n, 0n]
  while (!signal.aborted) {
    await pause(250, signal)
    const chain = await scene.chainBook()
    const { client, worker } = scene.proxyBook()
    if (chain.client.used > (client?.chain ?? 0n)) broken.push(`charged ${chain.client.used}, final is ${client?.chain}`)
    if (chain.worker.paid > (worker?.chain ?? 0n)) broken.push(`paid ${chain.worker.paid}, final is ${worker?.chain}`)
    if (chain.client.used < charged || chain.worker.paid < paid) broken.push('a counter of a contract fell')
    ;[charged, paid] = [chain.client.used, chain.worker.paid]
  }
}

interface Bounds {
  readonly least: bigint
  readonly most: bigint
  readonly unsigned: bigint
  readonly abandoned: bigint
}

/** What the client may owe, by what was seen from outside. */
function bounds(asked: readonly Asked[], kills: readonly Kill[]): Bounds {
  const proxyKills = kills.filter(({ role }) => role === 'proxy')
  const clientKills = kills.filter(({ role }) => role === 'client')
  let [whole, unsigned, abandoned] = [0n, 0n, 0n]
  for (const { outcome, tokens, startMs, endMs } of asked) {
    if (outcome === 'whole') {
      whole += tokens
      if (proxyKills.some(({ atMs, againMs }) => endMs >= atMs - commitWindowMs && endMs <= againMs)) unsigned += tokens
    } else if (clientKills.some(({ atMs }) => startMs <= atMs + 100 && endMs >= atMs)) abandoned += tokens
  }
  return { least: whole - unsigned, most: whole + abandoned, unsigned, abandoned }
}

function expectBetween({ least, most }: Bounds, tokens: bigint, when: string, broken: string[]): void {
  if (tokens < least) broken.push(`${when}: ${tokens} charged, at least ${least} were answered and stored`)
  if (tokens > most) broken.push(`${when}: ${tokens} charged, at most ${most} were answered`)
}

/** Waits until the contracts show all that the proxy has counted. */
async function settledWholly(scene: KillScene): Promise<void> {
  const until = Date.now() + recoverLimitMs
  for (;;) {
    const chain = await scene.chainBook()
    const { client, worker } = scene.proxyBook()
    const peers = [scene.clientBook(), scene.workerBook()]
    const done = chain.client.used === client?.tokens && chain.worker.paid === worker?.tokens
    if (done && peers.every((peer) => peer?.signed === client?.tokens && peer?.max === client?.tokens)) return
    // What differs is told by the comparison of the books.
    if (Date.now() > until) return
    await pause(250)
  }
}

async function compareBooks(scene: KillScene, load: Load, kills: readonly Kill[], broken: string[]): Promise<void> {
  const { client, worker } = scene.proxyBook()
  const total = client?.tokens ?? 0n
  const same = (what: string, value: bigint | undefined): void => {
    if (value !== total) broken.push(`${what} is ${value}, the client owes ${total}`)
  }
  const [clientBook, workerBook, chain] = [scene.clientBook(), scene.workerBook(), await scene.chainBook()]
  const { pricePerToken: price, workerFeePerToken: fee } = scene.network.config.params
  same("the worker's total at the proxy", worker?.tokens)
  same('what is final for the client', client?.chain)
  same('what is final for the worker', worker?.chain)
  same("the client's highest signed payment", clientBook?.signed)
  same("the client's book", clientBook?.max)
  same("the worker's highest signed payment", workerBook?.signed)
  same("the worker's book", workerBook?.max)
  same("the client contract's counter", chain.client.used)
  same("the worker contract's counter", chain.worker.paid)
  const paidIn = chain.client.balance + total * price
  // One when it is opened, and one whenever less than half is left: a program that dies in between must not pay again.
  const { topUpNano } = scene
  const planned = (total * price + topUpNano / 2n + topUpNano - 1n) / topUpNano
  if (paidIn === 0n || paidIn % topUpNano !== 0n || paidIn > planned * topUpNano)
    broken.push(`the client contract was filled with ${paidIn} nanoton, ${planned} top-ups were needed`)
  if (chain.commission > total * (price - fee)) broken.push(`the commission is ${chain.commission} nanoton`)
  expectBetween(bounds(load.asked, kills), total, 'at the end', broken)
  broken.push(...load.wrong)
  for (const words of ['told what does not add up'])
    if (scene.output('client').includes(words)) broken.push(`the client says: the proxy ${words}`)
  if (scene.output('worker').includes('broke its promises')) broken.push('the worker says: the proxy broke its promises')
}

function report(
  scene: KillScene,
  load: Load,
  kills: readonly Kill[],
  rest: Pick<KillReport, 'broken' | 'journal' | 'tookMs'>,
): KillReport {
  const { unsigned, abandoned } = bounds(load.asked, kills)
  const count = (role: RoleName): number => kills.filter((one) => one.role === role).length
  return {
    ...rest,
    asked: load.asked.length,
    refusals: Object.fromEntries(load.refusals),
    whole: load.asked.filter(({ outcome }) => outcome === 'whole').length,
    kills: { client: count('client'), worker: count('worker'), proxy: count('proxy') },
    charged: scene.proxyBook(true).client?.tokens ?? 0n,
    unsigned,
    abandoned,
  }
}
