"""What a `debugtalk.bin` written in Go looks like from outside: the cookie, a Unix socket, the controller that ends it.

funplugin's Go side does the same with hashicorp's go-plugin (hrp spec 19.4 to 19.6). argv: the path of the socket.
"""

import json
import os
import sys
import threading
from concurrent import futures

import grpc
from funppy import debugtalk_pb2, debugtalk_pb2_grpc


class Functions(debugtalk_pb2_grpc.DebugTalkServicer):
    """Three functions; as in Go, numbers come as floats and an error is a status with its text alone."""

    def GetNames(self, request, context):
        return debugtalk_pb2.GetNamesResponse(names=["sum_two_int", "sumtwoint", "panic"])

    def Call(self, request, context):
        if request.name == "panic":
            os._exit(2)
        try:
            value = int(sum(json.loads(request.args)))
        except TypeError:
            context.abort(grpc.StatusCode.UNKNOWN, "arg0 is no number")
        return debugtalk_pb2.CallResponse(value=json.dumps(value).encode())


def main():
    if os.environ.get("HttpRunnerPlus") != "debugtalk":
        sys.exit("This binary is a plugin. These are not meant to be executed directly.")
    ended = threading.Event()

    def shutdown(request, context):
        ended.set()
        return debugtalk_pb2.Empty()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    debugtalk_pb2_grpc.add_DebugTalkServicer_to_server(Functions(), server)
    controller = grpc.unary_unary_rpc_method_handler(
        shutdown,
        request_deserializer=debugtalk_pb2.Empty.FromString,
        response_serializer=debugtalk_pb2.Empty.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": controller})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port("unix:" + sys.argv[1])
    server.start()
    print("1|1|unix|%s|grpc|" % sys.argv[1], flush=True)
    ended.wait()
    server.stop(0.1).wait()


main()
