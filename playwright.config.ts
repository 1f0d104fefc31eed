import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from '@playwright/test'

const electronDir = join(import.meta.dirname, 'node_modules', 'electron')
const pathFile = join(electronDir, 'path.txt')
const hasElectron = existsSync(pathFile) && existsSync(join(electronDir, 'dist', readFileSync(pathFile, 'utf8')))
if (!hasElectron)
  process.stdout.write('No Electron binary here: the desktop window is NOT tested; the same page is tested in Chromium.\n')

/** Where times are measured: `npm test` runs nothing beside it. */
const measured = /main\.journey\.ts/

const chromium = {
  browserName: 'chromium' as const,
  viewport: { width: 1280, height: 800 },
  launchOptions: {
    executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  },
}

/** Journeys through the built app. Those of a file share one running app and go one after the other; `npm test` runs two files side by side. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/journeys',
  timeout: 180_000,
  expect: { timeout: 15_000 },
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  reporter: [['list'], ['json']],
  use: { trace: 'retain-on-failure', screenshot: 'only-on-failure' },
  projects: [
    { name: 'measured', testMatch: measured, use: chromium },
    { name: 'browser', testMatch: /.*\.journey\.ts/, testIgnore: measured, use: chromium },
    { name: 'electron', testMatch: /.*\.electron\.ts/ },
  ],
})
