import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

export interface ProcessFacts {
  readonly parent: number
  /**
   * Sockets that may lead out, which it and the processes below it hold now: of the internet protocols, and of any kind that is neither between processes of
   * this computer nor to its kernel.
   */
  readonly internetSockets: number
}

/** Columns of the inode in the system's tables. A kind without a table, or a socket that is not connected yet, stands in none. */
const internet = { tcp: 9, tcp6: 9, udp: 9, udp6: 9, udplite: 9, udplite6: 9, raw: 9, raw6: 9, icmp: 9, icmp6: 9 } as const
const inside = { unix: 6, netlink: 9 } as const

/**
 * What the system tells of a process of one's own user (Linux, proc(5)) and of those below it; null where it tells nothing: on other systems, of a
 * process that has ended, and of one that hides. A process that was left by its parent is below nobody and is not seen.
 * @param proc folder of the process file system
 */
export async function processFacts(pid: number, proc = '/proc'): Promise<ProcessFacts | null> {
  const own = await factsOfOne(pid, proc)
  if (own === null) return null
  let { internetSockets } = own
  for (const child of await childrenOf(pid, proc)) {
    const facts = await processFacts(child, proc)
    if (facts !== null) internetSockets += facts.internetSockets
    // One that ended between the two looks holds nothing; one that is there and hides is not known.
    else if ((await childrenOf(pid, proc)).includes(child)) return null
  }
  return { parent: own.parent, internetSockets }
}

/** Each thread has children of its own. Nothing where the system keeps no such list. */
async function childrenOf(pid: number, proc: string): Promise<number[]> {
  const tasks = join(proc, String(pid), 'task')
  const lists = await Promise.all(
    (await readdir(tasks).catch(() => [])).map((task) => readFile(join(tasks, task, 'children'), 'utf8').catch(() => '')),
  )
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
}

async function factsOfOne(pid: number, proc: string): Promise<ProcessFacts | null> {
  const folder = join(proc, String(pid))
  try {
    const stat = await readFile(join(folder, 'stat'), 'utf8')
    // The name in brackets may hold anything.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    const own = await socketsOf(join(folder, 'fd'))
    // Without this table nothing was seen at all.
    await readFile(join(folder, 'net', 'tcp'))
    const [leading, harmless] = await Promise.all([inodesIn(folder, internet), inodesIn(folder, inside)])
    // A table of names can be written into by whoever names a socket: what stands in the others counts whatever it says. One that was closed meanwhile stands nowhere.
    const still = await socketsOf(join(folder, 'fd'))
    const isUnknown = (inode: string): boolean => harmless.size > 0 && !harmless.has(inode) && still.has(inode)
    const internetSockets = [...own].filter((inode) => leading.has(inode) || isUnknown(inode)).length
    return Number.isInteger(parent) ? { parent, internetSockets } : null
  } catch {
    return null
  }
}

/** Inodes of the sockets among the descriptors of a process. */
async function socketsOf(folder: string): Promise<ReadonlySet<string>> {
  // A descriptor may be closed between the two looks.
  const targets = (await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => ''))
  return new Set((await Promise.all(targets)).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
}

/** Inodes in those tables that the system has. */
async function inodesIn(folder: string, tables: Readonly<Record<string, number>>): Promise<ReadonlySet<string>> {
  const found = Object.entries(tables).map(async ([table, column]) => {
    const lines = (await readFile(join(folder, 'net', table), 'utf8').catch(() => '')).split('\n').slice(1)
    return lines.flatMap((line) => line.trim().split(/\s+/)[column] ?? [])
  })
  return new Set((await Promise.all(found)).flat())
}
