import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

export interface ProcessFacts {
  readonly parent: number
  /** Sockets of the internet protocols that it and the processes below it hold now: connections, and ports that they listen on. */
  readonly internetSockets: number
}

const tables = ['tcp', 'tcp6', 'udp', 'udp6', 'udplite', 'udplite6', 'raw', 'raw6', 'icmp', 'icmp6'] as const

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
    const own = new Set<string>()
    for (const name of await readdir(join(folder, 'fd'))) {
      // A descriptor may be closed between the two looks.
      const target = await readlink(join(folder, 'fd', name)).catch(() => '')
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
      if (inode !== undefined) own.add(inode)
    }
    let internetSockets = 0
    for (const table of tables) {
      const lines = (await readFile(join(folder, 'net', table), 'utf8').catch(() => '')).split('\n').slice(1)
      internetSockets += lines.filter((line) => own.has(line.trim().split(/\s+/)[9] ?? '')).length
    }
    // Without this table nothing was seen at all.
    await readFile(join(folder, 'net', 'tcp'))
    return Number.isInteger(parent) ? { parent, internetSockets } : null
  } catch {
    return null
  }
}
