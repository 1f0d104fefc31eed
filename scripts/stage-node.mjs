/** Puts the Node binary of the packaged platform into dist-node/, from where electron-builder takes it as a resource. */
import { copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { findNode, root } from './setup.mjs'

const folder = join(root, 'dist-node')
mkdirSync(folder, { recursive: true })
const node = findNode()
copyFileSync(node, join(folder, basename(node)))
console.log(`${node} → dist-node/`)
