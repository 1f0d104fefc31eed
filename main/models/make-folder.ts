import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it, for its owner alone; one that is there is left as it is. Node's own `recursive` goes round for ever where a folder
 * cannot be made in one that is there and the system says ENOENT of it, as in `/proc`.
 * Throws what the system says.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (thrown) {
    const above = dirname(path)
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw thrown
    await makeFolder(above)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  // A root says EPERM or EISDIR in place of EEXIST on some systems: what counts is whether the folder is there.
  await mkdir(path, { mode: 0o700 }).catch(async (thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') throw thrown
    const found = await stat(path).catch(() => undefined)
    if (!found?.isDirectory()) throw thrown
  })
}
