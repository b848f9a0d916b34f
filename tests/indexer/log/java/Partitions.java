import java.util.Scanner;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Reads "KEY-IN-HEX COUNT" a line, prints the Java client's "MURMUR2 PARTITION". */
public class Partitions {
    public static void main(String[] arguments) {
        StringBuilder answers = new StringBuilder();
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] asked = lines.nextLine().split(" ", -1);
            byte[] key = HexFormat.of().parseHex(asked[0]);
            int partition = BuiltInPartitioner.partitionForKey(key, Integer.parseInt(asked[1]));
            answers.append(Utils.murmur2(key)).append(' ').append(partition).append('\n');
        }
        System.out.print(answers);
    }
}
