import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { _electron, expect, test } from '@playwright/test'
import { appNode } from './support/app.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { answeredInPart, answerOf, ask } from './support/screens.ts'

const root = join(import.meta.dirname, '..')

/** The binary that the electron package has downloaded, if it could. */
function electronBinary(): string | undefined {
  const folder = join(root, 'node_modules', 'electron')
  const note = join(folder, 'path.txt')
  const path = existsSync(note) ? join(folder, 'dist', readFileSync(note, 'utf8').trim()) : undefined
  return path !== undefined && existsSync(path) ? path : undefined
}

test('the desktop window opens and a chat works in it', async () => {
  const executablePath = electronBinary()
  test.skip(executablePath === undefined, 'There is no Electron binary here: the desktop window was NOT tested.')
  if (executablePath === undefined) return
  const app = await _electron.launch({
    executablePath,
    args: [...(process.platform === 'linux' ? ['--no-sandbox'] : []), join(root, 'out', 'main', 'desktop.js')],
    env: { ...process.env, COCOON_NODE: appNode, COCOON_DATA_DIR: await dataDirWithModel() },
  })
  try {
    const page = await app.firstWindow()
    await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
    await expect(page.getByText('Local network, test coins')).toBeVisible()
    const turn = await ask(page, 'Say hello in one short sentence.')
    await answeredInPart(turn)
    await expect(answerOf(turn)).not.toBeEmpty()
  } finally {
    await app.close()
  }
})
