// A whole session of the official TypeScript client with `pyro mcp serve`, in a workspace with a
// published port. The arguments: the era (auto, legacy), the name of the environment, and how to start
// the server.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [mode, environment, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "pyro-tests", version: "1" }, { versionNegotiation: { mode } });
await client.connect(new StdioClientTransport({ command, args, env: process.env }));

// The client checks each structuredContent against the outputSchema that tools/list gave it.
const { tools } = await client.listTools();
const call = async (name, args) => {
  const steps = [];
  const result = await client.callTool({ name, arguments: args }, { timeout: 300000, onprogress: (p) => steps.push(p) });
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return { ...result.structuredContent, steps };
};

const created = await call("workspace_create", { environment, mem_mib: 256, network_policy: "egress+published-ports" });
const workspace_id = created.workspace_id;
const found = { era: client.getProtocolEra(), tools: tools.length, steps: created.steps.length };
try {
  found.stdout = (await call("workspace_exec", { workspace_id, command: "echo hello from the guest" })).stdout;
  const serve =
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;" +
    'while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nserved"; close $c }';
  const service = await call("service_start", {
    workspace_id, service_name: "web", command: ["perl", "-e", serve],
    readiness: { type: "tcp", address: "8080" }, published_ports: [{ guest_port: 8080 }],
  });
  const page = await fetch(`http://127.0.0.1:${service.published_ports[0].host_port}/`);
  found.page = await page.text();
  const { resources } = await client.listResources();
  const logs = resources.find((r) => r.uri === `pyro://workspaces/${workspace_id}/logs`);
  found.logs = (await client.readResource({ uri: logs.uri })).contents[0].text.includes("hello from the guest");
} finally {
  found.deleted = (await call("workspace_delete", { workspace_id })).deleted;
}
await client.close();
console.log(JSON.stringify(found));
